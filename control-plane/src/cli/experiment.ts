/** `vedette experiment`: hold two versions against each other by a business metric, on live devices or entities. */
import { experimentPlan } from "@vedette/protocol/experiment";
import { type ExperimentAct, type ExperimentInDetail, experimentActs } from "@vedette/protocol/experiments-api";
import { modelName } from "@vedette/protocol/ids";
import { type Command, InvalidArgumentError, Option } from "commander";
import { printable } from "../printable.ts";
import { contextOf } from "./context.ts";
import { describeExperiment } from "./experiment-text.ts";
import type { Io } from "./io.ts";
import { followUntilOver } from "./live-view.ts";
import { duration, fitting, integerFrom, label, moment, positive, share, version } from "./option-values.ts";
import { newest, type SelectorFlags, selectorOf } from "./selector-flags.ts";
import { table } from "./table.ts";

const number = integerFrom(1, Number.MAX_SAFE_INTEGER);

const acts: Readonly<Record<ExperimentAct, { what: string; done: string; example: string }>> = {
  pause: {
    what: "no device joins any more, and it does not end by its plan; requests stay split",
    done: "is paused",
    example: '7 --reason "the shop is closed"',
  },
  resume: { what: "go on where it was paused", done: "goes on", example: "7" },
};

interface StartFlags extends SelectorFlags {
  model: string;
  version?: number;
  metric: string;
  better: "higher" | "lower";
  split: "devices" | "entities";
  share: number;
  error: number;
  minEffect?: number;
  until?: { after: number } | { at: string };
}

/** `14d` from now, or a moment. */
function end(text: string): NonNullable<StartFlags["until"]> {
  return /^\d{4}-/.test(text) ? { at: moment(text) } : { after: duration(text) };
}

function metric(text: string): string {
  if (experimentPlan.shape.metric.safeParse(text).success) return text;
  throw new InvalidArgumentError(
    "Write the metric as business:NAME, by the name under which it is told to `vedette metric add`.",
  );
}

export function addExperiment(program: Command, io: Io): void {
  const experiment = program
    .command("experiment")
    .description("A/B: two versions on devices or entities, compared by a business metric");

  experiment
    .command("start")
    .description("split devices, or requests by entity, between the version that answers and another one")
    .requiredOption("--model <name>", "the model", fitting(modelName))
    .option("--version <number>", "the candidate (default: the newest)", version)
    .requiredOption("--metric <business:name>", "what is compared, as it is told by `vedette metric add`", metric)
    .addOption(new Option("--better <way>", "which way is better").choices(["higher", "lower"]).makeOptionMandatory())
    .addOption(
      new Option("--split <units>", "who gets one version or the other: whole devices, or each entity on all of them")
        .choices(["devices", "entities"])
        .makeOptionMandatory(),
    )
    .option("--share <share>", "of the units, for the candidate", share, 0.5)
    .option("--all", "on every device, those to come too (default)")
    .option("--device <id...>", "on these devices")
    .option("--label <key=value>", "on devices with this label; given more than once, with all", label)
    .option("--error <error>", "that the interval is ever wrong, however often one looks", share, 0.05)
    .option("--min-effect <difference>", "the least difference that matters: it ends once told or ruled out", positive)
    .option("--until <when>", "it ends then at the latest: 14d, or a moment", end)
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette experiment start --model basket --version 3 --metric business:sales --better higher --split entities --until 14d",
    )
    .action(async (flags: StartFlags, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const { model, until, metric, better, split, share, error, minEffect = null } = flags;
      const named = flags.all !== undefined || flags.device !== undefined || flags.label !== undefined;
      const version = flags.version ?? (await newest(api, model));
      const started = await api.startExperiment({
        model,
        version,
        ...(named && { selector: selectorOf(flags) }),
        plan: { ...{ metric, better, split, share, error, minEffect }, until: until ? endOf(until, io.now()) : null },
      });
      context.answer(started, `${describeExperiment(started)}\nNext: vedette experiment watch ${started.id}\n`);
    });

  experiment
    .command("list")
    .description("experiments, the newest first")
    .option("--model <name>", "of one model", fitting(modelName))
    .option("--limit <n>", "so many at most", integerFrom(1, 1000), 50)
    .addHelpText("after", "\nExample:\n  $ vedette experiment list --model basket")
    .action(async (flags: { model?: string; limit: number }, command: Command) => {
      const context = contextOf(command, io);
      const experiments = await (await context.api()).experiments(flags);
      const rows = experiments.map(({ id, model, version, state, plan, result, createdAt, createdBy, why }) => [
        ...[id, model, version, state, plan.metric, plan.split, result?.says.replaceAll("_", " ") ?? null],
        ...[createdAt, createdBy, why],
      ]);
      const columns = ["id", "model", "version", "state", "metric", "split", "says", "started", "by", "why"];
      context.answer(
        { experiments },
        rows.length === 0 ? "No experiments: vedette experiment start --help\n" : table(columns, rows),
      );
    });

  experiment
    .command("show")
    .description("one experiment: what it says so far, whether the split is as planned, and each device")
    .argument("<id>", "its number in the list", number)
    .addHelpText("after", "\nExample:\n  $ vedette experiment show 7")
    .action(async (id: number, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const found = await (await context.api()).experiment(id);
      context.answer(found, describeExperiment(found, true));
    });

  experiment
    .command("watch")
    .description("an experiment live, until it is over; --json: a line each change")
    .argument("<id>", "its number in the list", number)
    .addOption(new Option("--every <duration>", "look so often").argParser(duration).default(2000, "2s"))
    .addHelpText("after", "\nExample:\n  $ vedette experiment watch 7")
    .action(async (id: number, { every }: { every: number }, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const look = () => api.experiment(id);
      await followUntilOver(io, context.json, every, { look, whole: describeExperiment, line });
    });

  for (const act of experimentActs) {
    const { what, done, example } = acts[act];
    experiment
      .command(act)
      .description(what)
      .argument("<id>", "its number in the list", number)
      .option("--reason <text>", "kept in the audit")
      .addHelpText("after", `\nExample:\n  $ vedette experiment ${act} ${example}`)
      .action(async (id: number, { reason }: { reason?: string }, command: Command) => {
        const context = contextOf(command, io);
        const after = await (await context.api()).actOnExperiment(id, act, reason);
        // What paused it may still stand.
        const now = act === "resume" && after.state === "paused" ? "is paused again" : done;
        context.answer(after, `Experiment ${id} ${now}.\n${describeExperiment(after)}`);
      });
  }

  experiment
    .command("stop")
    .description("end it: every device returns to its version, or gets the candidate for good")
    .argument("<id>", "its number in the list", number)
    .addOption(
      new Option("--keep <version>", "candidate: it becomes the rule of the experiment's devices")
        .choices(["incumbent", "candidate"])
        .default("incumbent"),
    )
    .option("--reason <text>", "kept in the audit")
    .addHelpText("after", '\nExample:\n  $ vedette experiment stop 7 --keep candidate --reason "sells more"')
    .action(async (id: number, flags: { keep: "incumbent" | "candidate"; reason?: string }, command: Command) => {
      const context = contextOf(command, io);
      const { keep, reason } = flags;
      const after = await (await context.api()).stopExperiment(id, { keep, ...(reason && { reason }) });
      context.answer(after, `Experiment ${id} is over; the ${keep} is kept.\n${describeExperiment(after)}`);
    });
}

function endOf(until: NonNullable<StartFlags["until"]>, now: number): string {
  return "at" in until ? until.at : new Date(now + until.after).toISOString();
}

function line({ id, model, version, state, why }: ExperimentInDetail): string {
  return printable(`experiment ${id} ${model} version ${version}: ${state}: ${why}`.replaceAll("\n", " "));
}
