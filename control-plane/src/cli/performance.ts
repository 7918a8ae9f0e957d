/** `vedette performance`: how a model does by its labels, and whether it does worse since a moment. */
import { VedetteError } from "@vedette/protocol/errors";
import { type Harm, lossMeasures, type Performance } from "@vedette/protocol/labels-api";
import { type Command, Option } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { duration, integerFrom, moment, positive, share } from "./option-values.ts";
import { show, table } from "./table.ts";

const dayMs = 86_400_000;

interface Flags {
  model: string;
  version?: number;
  since?: string;
  until?: string;
  by?: string;
  /** ms. */
  every?: number;
  scale?: number;
  error?: (typeof lossMeasures)[number];
  alpha?: number;
  harm?: boolean;
  label?: string;
  tolerance?: number;
}

export function addPerformance(program: Command, io: Io): void {
  program
    .command("performance")
    .description("how a model does by its labels: accuracy or error by version and slice, with intervals")
    .requiredOption("--model <name>", "which model")
    .option("--version <number>", "only of this version", integerFrom(1, 1e9))
    .option("--since <moment>", "of predictions from this moment on", moment)
    .option("--until <moment>", "of predictions before this moment", moment)
    .option("--by <slice>", "device, source, label:<key> of the devices, or field:<name> of the inputs")
    .option("--every <duration>", "a line for each of these, in whole days, as 7d", duration)
    .option(
      "--scale <number>",
      "an error of this and more counts as this (default: ten times the training error)",
      positive,
    )
    .addOption(new Option("--error <error>", "of a regression (default: absolute)").choices(lossMeasures))
    .option("--alpha <share>", "intervals miss with at most this probability, ever (default: 0.05)", share)
    .option("--harm", "say instead whether it does worse since --since than before: harmful, benign or unknown")
    .option("--label <key=value>", "with --harm: only of devices with this label")
    .option("--tolerance <share>", "with --harm: how much more risk is no harm (default: 0.05)", share)
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette performance --model rain --by label:city\n" +
        "  $ vedette performance --model rain --every 30d\n" +
        "  $ vedette performance --model rain --harm --since 2027-01-31 --label city=new-york",
    )
    .action(async (flags: Flags, command: Command) => {
      const context = contextOf(command, io);
      const { every, harm, label, tolerance, by, until, since, ...common } = flags;
      const api = await context.api();
      if (harm) {
        if (since === undefined || by !== undefined || every !== undefined || until !== undefined) {
          throw new VedetteError("invalid_argument", "--harm goes with --since, and without --until, --by and --every");
        }
        const verdict = await api.harm({ ...common, since, label, tolerance });
        context.answer(verdict, describeHarm(verdict));
        return;
      }
      if (label !== undefined || tolerance !== undefined) {
        throw new VedetteError(
          "invalid_argument",
          "--label and --tolerance go with --harm; to compare labels: --by label:<key>",
        );
      }
      const everyDays = every === undefined ? undefined : Math.max(1, Math.round(every / dayMs));
      const performance = await api.performance({ ...common, since, until, by, everyDays });
      context.answer(performance, describePerformance(performance));
    });
}

function describePerformance({ rows, by, alpha, model }: Performance): string {
  if (rows.length === 0)
    return `No answers of ${model} fit; an answer's row comes about ten seconds after the answer.\n`;
  const periods = rows.some(({ from }) => from !== null);
  const columns = [
    "version",
    ...(by === null ? [] : [by]),
    ...(periods ? ["from"] : []),
    "predictions",
    "labelled",
    "measure",
    "estimate",
    `${Number((100 * (1 - alpha)).toFixed(3))} % interval`,
    "note",
  ];
  const lines = rows.map((row) => {
    const { version, slice, from, predictions, labelled, unreadable, measure, scale, estimate, interval } = row;
    const between = interval === null ? null : `${figure(interval.low)} to ${figure(interval.high)}`;
    const notes = [
      ...(scale === null ? [] : [`errors over ${show(scale)} count as ${show(scale)}`]),
      ...(unreadable === 0 ? [] : [`${unreadable} labels are no number`]),
    ];
    return [
      version,
      ...(by === null ? [] : [slice]),
      ...(periods ? [from] : []),
      predictions,
      `${labelled} (${((100 * labelled) / predictions).toFixed(0)} %)`,
      measure.replace("_", " "),
      estimate === null ? null : figure(estimate),
      between,
      notes.join("; ") || null,
    ];
  });
  return table(columns, lines);
}

function describeHarm({ verdict, why, model, version, since }: Harm): string {
  return `${model}${version === null ? "" : ` version ${version}`} since ${since}: ${verdict}\n${why}\n`;
}

/** Three digits after the point, which is as far as labels tell. */
function figure(value: number): string {
  return Math.abs(value) >= 100 ? value.toPrecision(5) : value.toFixed(3);
}
