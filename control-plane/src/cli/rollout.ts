/** `vedette rollout`: release a version in stages, watch it, act on it; `rollout-watch.ts` has watch and replay. */
import { modelName } from "@vedette/protocol/ids";
import { type RolloutState, rolloutStates } from "@vedette/protocol/rollout";
import { type RolloutAct, rolloutActs } from "@vedette/protocol/rollouts-api";
import { type Command, Option } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { duration, fitting, integerFrom, label, moment, share, version } from "./option-values.ts";
import { nextOf } from "./rollout-next.ts";
import { type PolicyFlags, policyOf, stagesFrom } from "./rollout-policy.ts";
import { describeRollout } from "./rollout-text.ts";
import { addRolloutReplay, addRolloutWatch } from "./rollout-watch.ts";
import { newest } from "./selector-flags.ts";
import { table } from "./table.ts";

const number = integerFrom(1, Number.MAX_SAFE_INTEGER);

const acts: Readonly<Record<RolloutAct, { what: string; done: string; example: string }>> = {
  pause: { what: "take no new devices and end no stage", done: "is paused", example: '7 --reason "lunch"' },
  resume: { what: "go on where it was paused", done: "goes on", example: "7" },
  abort: {
    what: "end it: every device returns to the version before",
    done: "is aborted",
    example: '7 --reason "wrong file"',
  },
  approve: { what: "let the stage that waits for it begin", done: "goes on", example: "7 --stage 2" },
  retry: { what: "try devices that failed or timed out again", done: "tries them again", example: "7" },
};

/** Of the reason, in a list. */
const longest = 120;
function inShort(why: string): string {
  return why.length <= longest ? why : `${why.slice(0, longest - 2)} …`;
}

export function addRollout(program: Command, io: Io): void {
  const rollout = program
    .command("rollout")
    .description("releases in stages that judge themselves: shadow, canary, promotion or rollback by evidence");

  rollout
    .command("start")
    .description("release a version in stages; returns at once: it goes on by itself")
    .requiredOption("--model <name>", "the model", fitting(modelName))
    .option("--version <number>", "the version (default: the newest)", version)
    .option("--all", "every device, those to come too (default where --policy names none)")
    .option("--device <id...>", "these devices")
    .option("--label <key=value>", "devices with this label, those to come too; given more than once, with all", label)
    .option("--policy <file>", "the whole policy as JSON (docs/guides/rollouts.md); the flags below change it")
    .option("--stages <list>", "as shadow:0.2,canary:0.05,canary:1: kind and share of the devices", stagesFrom)
    .option("--served <n>", "predictions that a device must serve to count", integerFrom(1, 1e9))
    .option(
      "--in-flight <n>",
      "devices at most that have it and do not count yet (100, or a tenth)",
      integerFrom(1, 1e9),
    )
    .option("--timeout <duration>", "a device that does not count after so long is counted apart", duration)
    .option("--max-failures <share>", "of the devices reached: more of them that fail end it", share)
    .option("--start-at <moment>", "not before, UTC", moment)
    .option("--queue", "wait for a rollout that has some of the same devices")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette rollout start --model rain-gauge --version 3 --label city=seattle --stages shadow:0.2,canary:0.1,canary:1",
    )
    .action(async (flags: PolicyFlags & { model: string; version?: number; queue?: boolean }, command: Command) => {
      const context = contextOf(command, io);
      const policy = await policyOf(flags, io.now());
      const api = await context.api();
      const version = flags.version ?? (await newest(api, flags.model));
      const started = await api.startRollout({ model: flags.model, version, policy, queue: flags.queue ?? false });
      // One that waits for somebody says so itself.
      const next = nextOf(started) === null ? `\nNext: vedette rollout watch ${started.id}\n` : "";
      context.answer(started, `${describeRollout(started)}${next}`);
    });

  rollout
    .command("list")
    .description("rollouts, the newest first")
    .option("--model <name>", "of one model", fitting(modelName))
    .addOption(new Option("--state <state>", "only these").choices(rolloutStates))
    .option("--limit <n>", "so many at most", integerFrom(1, 1000), 50)
    .addHelpText("after", "\nExample:\n  $ vedette rollout list --model rain-gauge")
    .action(async (flags: { model?: string; state?: RolloutState; limit: number }, command: Command) => {
      const context = contextOf(command, io);
      const rollouts = await (await context.api()).rollouts(flags);
      const rows = rollouts.map((one) => [
        ...[one.id, one.model, one.version, one.state],
        `${one.stage + 1}/${one.policy.stages.length}`,
        ...[one.createdAt, one.createdBy, inShort(one.why)],
      ]);
      const columns = ["id", "model", "version", "state", "stage", "started", "by", "why"];
      context.answer(
        { rollouts },
        rows.length === 0 ? "No rollouts: vedette rollout start --help\n" : table(columns, rows),
      );
    });

  rollout
    .command("show")
    .description("one rollout: stages, evidence, and each device")
    .argument("<id>", "its number in the list", number)
    .addHelpText("after", "\nExample:\n  $ vedette rollout show 7")
    .action(async (id: number, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const found = await (await context.api()).rollout(id);
      context.answer(found, describeRollout(found, true));
    });

  addRolloutWatch(rollout, io);
  for (const act of rolloutActs) {
    const { what, done, example } = acts[act];
    const acting = rollout
      .command(act)
      .description(what)
      .argument("<id>", "its number in the list", number)
      .option("--reason <text>", "kept in the audit");
    if (act === "approve")
      acting.option(
        "--stage <n>",
        "approve only this stage: refused where the rollout stands at another by now",
        integerFrom(1, 20),
      );
    acting
      .addHelpText("after", `\nExample:\n  $ vedette rollout ${act} ${example}`)
      .action(async (id: number, flags: { reason?: string; stage?: number }, command: Command) => {
        const context = contextOf(command, io);
        const after = await (await context.api()).actOnRollout(id, act, { reason: flags.reason, stage: flags.stage });
        const still =
          act === "approve" && after.state === "paused" ? "has its stage approved, and is still paused" : done;
        context.answer(after, `Rollout ${id} ${still}.\n${describeRollout(after)}`);
      });
  }
  addRolloutReplay(rollout, io);
}
