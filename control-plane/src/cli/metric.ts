/** `vedette metric add` and `list`: what the business counts, beside what the model answers. */
import { VedetteError } from "@vedette/protocol/errors";
import { type MetricLine, metricLine } from "@vedette/protocol/labels-api";
import type { Command } from "commander";
import type { ApiClient } from "./api-client.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { cell, type FileRow, inParts, misfit, readRows, utcMoment } from "./line-file.ts";
import { integerFrom, moment } from "./option-values.ts";
import { show, table } from "./table.ts";

const linesAtOnce = 5000;
const fields = ["id", "model", "version", "device", "entity", "prediction", "name", "value", "at"] as const;
type Field = (typeof fields)[number];

interface AddFlags extends Partial<Record<Exclude<Field, "version">, string>> {
  version?: number;
  file?: string;
}

export function addMetric(program: Command, io: Io): void {
  const metric = program.command("metric").description("what the business counts, by model and version");
  metric
    .command("add")
    .description("tell a number, or a file of them")
    .option("--file <file>", `CSV or .ndjson with columns of ${fields.join(", ")}; options fill in those that it lacks`)
    .option("--model <name>", "which model it speaks of")
    .option("--name <name>", "what is counted")
    .option("--value <number>", "how much")
    .option("--at <moment>", "when (default: now)", moment)
    .option(
      "--version <number>",
      "of the model (default: which answered the device or the entity last before)",
      integerFrom(1, 1e9),
    )
    .option("--device <id>", "where it was counted")
    .option("--entity <text>", "of whom (vedette_entity)")
    .option("--prediction <id>", "what it came of (vedette_id): says device, entity and version")
    .option("--id <text>", "said twice, it counts once")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette metric add --model pump --name downtime.minutes --value 12 --device pump-1\n" +
        "  $ vedette metric add --file sales.csv --model basket --name sales",
    )
    .action(async (flags: AddFlags, command: Command) => {
      const context = contextOf(command, io);
      const { file, ...given } = flags;
      const defaults = { at: new Date(io.now()).toISOString(), ...given };
      const total = await sendAll(await context.api(), linesOf(file, defaults));
      const known = total.repeated > 0 ? `, ${total.repeated} known already` : "";
      const erased = total.erased > 0 ? `, ${total.erased} of erased entities, not kept` : "";
      context.answer(total, `${total.stored} new${known}${erased}\n`);
    });

  metric
    .command("list")
    .description("means by version, with intervals that hold however often one looks")
    .option("--model <name>", "of this model only")
    .addHelpText("after", "\nExample:\n  $ vedette metric list --model pump")
    .action(async ({ model }: { model?: string }, command: Command) => {
      const context = contextOf(command, io);
      const list = await (await context.api()).metrics(model);
      const rows = list.metrics.map(({ model, name, version, n, mean, interval, first, last }) => {
        const between = interval === null ? "too few" : `${show(interval.low)} to ${show(interval.high)}`;
        return [model, name, version, n, mean, between, first, last];
      });
      const columns = [
        "model",
        "metric",
        "version",
        "n",
        "mean",
        `${100 * (1 - list.alpha)} % interval`,
        "first",
        "last",
      ];
      context.answer(list, rows.length === 0 ? "No metrics yet: vedette metric add --help\n" : table(columns, rows));
    });
}

async function* linesOf(file: string | undefined, defaults: Omit<AddFlags, "file">): AsyncGenerator<MetricLine> {
  if (file === undefined) {
    yield parse(defaults, "the options");
    return;
  }
  for await (const row of readRows(file)) yield parse({ ...defaults, ...valuesOf(row) }, `${file}, line ${row.line}`);
}

function valuesOf(row: FileRow): Partial<Record<Field, unknown>> {
  const there = fields.filter((field) => field in row.values);
  const values = there.map((field) => [field, cell(row, field)] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(values);
}

/** Values of options and of a CSV are texts. */
function parse({ version, value, at, ...texts }: Partial<Record<Field, unknown>>, where: string): MetricLine {
  const number = (given: unknown) => (typeof given === "string" && given.trim() !== "" ? Number(given) : given);
  const parsed = metricLine.safeParse({
    ...texts,
    ...(version === undefined ? {} : { version: number(version) }),
    value: number(value),
    at: utcMoment(at as string | number | undefined),
  });
  if (parsed.success) return parsed.data;
  throw new VedetteError("invalid_argument", `${where}: ${misfit(parsed.error)}`);
}

async function sendAll(api: ApiClient, lines: AsyncIterable<MetricLine>) {
  const total = { lines: 0, stored: 0, repeated: 0, erased: 0 };
  for await (const part of inParts(lines, linesAtOnce)) {
    const answer = await api.addMetrics(part);
    for (const what of Object.keys(total) as (keyof typeof total)[]) total[what] += answer[what];
  }
  return total;
}
