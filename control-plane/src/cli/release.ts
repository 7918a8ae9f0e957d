/** `vedette release`: versions that were proposed, whether they go out by themselves, and what stops that. */
import { VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import type { HandsFree, Release, ReleaseFacts } from "@vedette/protocol/release-api";
import type { Command } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { duration, fitting, integerFrom, label, share } from "./option-values.ts";
import { type PolicyFlags, policyOf, stagesFrom } from "./rollout-policy.ts";
import { show, table } from "./table.ts";

const number = integerFrom(1, Number.MAX_SAFE_INTEGER);

export function addRelease(program: Command, io: Io): void {
  const release = program
    .command("release")
    .description("hands-free release: what was proposed, what signers say of it, and what happens by itself");

  release
    .command("list")
    .description("what was proposed, the newest first, and which models go out by themselves")
    .option("--model <name>", "of one model", fitting(modelName))
    .option("--limit <n>", "so many at most", integerFrom(1, 1000), 50)
    .addHelpText("after", "\nExample:\n  $ vedette release list --model rain-gauge")
    .action(async (flags: { model?: string; limit: number }, command: Command) => {
      const context = contextOf(command, io);
      const answer = await (await context.api()).releases(flags);
      context.answer(answer, `${describeList(answer.releases)}${answer.handsFree.map(describeSettings).join("")}`);
    });

  release
    .command("show")
    .description("one of them: where it stands and why")
    .argument("<id>", "its number in the list", number)
    .addHelpText("after", "\nExample:\n  $ vedette release show 4")
    .action(async (id: number, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const found = await (await context.api()).release(id);
      context.answer(found, describeRelease(found));
    });

  release
    .command("withdraw")
    .description("take back what was proposed and nobody has signed yet")
    .argument("<id>", "its number in the list", number)
    .requiredOption("--reason <text>", "kept in the audit")
    .addHelpText("after", '\nExample:\n  $ vedette release withdraw 4 --reason "wrong file"')
    .action(async (id: number, { reason }: { reason: string }, command: Command) => {
      const context = contextOf(command, io);
      const found = await (await context.api()).withdrawRelease(id, reason);
      context.answer(found, describeRelease(found));
    });

  release
    .command("auto")
    .description("roll out by itself what a signer signed, by this policy; without flags: by the default one")
    .requiredOption("--model <name>", "the model", fitting(modelName))
    .option("--off", "an operator starts the rollouts again")
    .option("--policy <file>", "the rollout's policy as JSON (docs/guides/rollouts.md); the flags below change it")
    .option("--all", "every device, those to come too (default where --policy names none)")
    .option("--device <id...>", "these devices")
    .option("--label <key=value>", "devices with this label; given more than once, with all", label)
    .option("--stages <list>", "as shadow:0.2,canary:0.05,canary:1", stagesFrom)
    .option("--served <n>", "predictions that a device must serve to count", integerFrom(1, 1e9))
    .option(
      "--in-flight <n>",
      "devices at most that have it and do not count yet (100, or a tenth)",
      integerFrom(1, 1e9),
    )
    .option("--timeout <duration>", "a device that does not count after so long is counted apart", duration)
    .option("--max-failures <share>", "of the devices reached: more of them that fail end it", share)
    .addHelpText("after", "\nExample:\n  $ vedette release auto --model rain-gauge --policy policy.json")
    .action(async ({ model, off, ...flags }: PolicyFlags & { model: string; off?: boolean }, command: Command) => {
      const context = contextOf(command, io);
      if (off && Object.keys(flags).length > 0) {
        throw new VedetteError(
          "invalid_argument",
          "--off takes the policy away: leave out the flags that describe one",
        );
      }
      const policy = off ? null : await policyOf(flags, io.now());
      const after = await (await context.api()).setHandsFree(model, { policy });
      context.answer(after, describeSettings(after));
    });

  release
    .command("freeze")
    .description("stop it: nothing more is signed or begins by itself, and rollouts that did are paused")
    .requiredOption("--model <name>", "the model", fitting(modelName))
    .requiredOption("--reason <text>", "kept in the audit")
    .addHelpText("after", '\nExample:\n  $ vedette release freeze --model rain-gauge --reason "odd labels since noon"')
    .action(async ({ model, reason }: { model: string; reason: string }, command: Command) => {
      const context = contextOf(command, io);
      const after = await (await context.api()).setFreeze(model, { frozen: true, reason });
      const paused = after.paused.map(
        (id) => `Rollout ${id} is paused: vedette rollout abort ${id}, or resume ${id}\n`,
      );
      context.answer(after, `${describeSettings(after)}${paused.join("")}`);
    });

  release
    .command("thaw")
    .description("let it go on; paused rollouts stay paused until `rollout resume`")
    .requiredOption("--model <name>", "the model", fitting(modelName))
    .requiredOption("--reason <text>", "kept in the audit")
    .addHelpText("after", '\nExample:\n  $ vedette release thaw --model rain-gauge --reason "it was the labels"')
    .action(async ({ model, reason }: { model: string; reason: string }, command: Command) => {
      const context = contextOf(command, io);
      const after = await (await context.api()).setFreeze(model, { frozen: false, reason });
      context.answer(after, describeSettings(after));
    });
}

function describeList(releases: readonly ReleaseFacts[]): string {
  if (releases.length === 0) return "Nothing was proposed: vedette model publish --propose\n";
  const rows = releases.map((one) => [
    ...[one.id, one.model, one.version, one.state, one.createdAt, one.createdBy],
    ...[one.rollout?.id ?? null, one.rollout?.id === null ? `${one.why}; no rollout: ${one.rollout.why}` : one.why],
  ]);
  return table(["id", "model", "version", "state", "proposed", "by", "rollout", "why"], rows);
}

/** One that was proposed, and what is next. */
export function describeRelease({ id, model, version, state, why, rollout, digest }: Release): string {
  const begun = rollout ? `Rollout: ${rollout.id === null ? "none" : rollout.id}, ${show(rollout.why)}\n` : "";
  const number = version === null ? "" : ` version ${version}`;
  return `Release ${id}, ${model}${number} (${digest.slice(0, 12)}) is ${state}: ${show(why)}\n${begun}`;
}

function describeSettings({ model, policy, frozen, reason, by, at }: HandsFree): string {
  const stages = policy?.stages.map(({ kind, share: part }) => `${kind} ${Math.round(part * 100)} %`).join(", ");
  const goes = policy ? `goes out by itself (${stages})` : "is rolled out by operators";
  return `${model} ${goes}${frozen ? `; FROZEN by ${by} at ${at}: ${show(reason)}` : ""}.\n`;
}
