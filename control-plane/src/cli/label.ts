/** `vedette label add` and `status`: what came of predictions. */
import { VedetteError } from "@vedette/protocol/errors";
import { type LabelLine, type LabelStatus, type LabelsAnswer, labelLine } from "@vedette/protocol/labels-api";
import type { Command } from "commander";
import { printable } from "../printable.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { cell, type FileRow, inParts, misfit, readRows, utcMoment } from "./line-file.ts";
import { table } from "./table.ts";

/** Lines of one request: small enough that a slow line gets it through. */
const linesAtOnce = 5000;

interface AddFlags {
  file: string;
  model?: string;
  idColumn?: string;
  entityColumn?: string;
  timeColumn?: string;
  requestColumn?: string;
  labelColumn: string;
  atColumn?: string;
}
type Total = LabelsAnswer & { skipped: number };

export function addLabel(program: Command, io: Io): void {
  const label = program.command("label").description("what came of predictions: the truth, whenever it is known");
  label
    .command("add")
    .description("tell labels from a file; what is known already is not taken twice, another label corrects")
    .requiredOption("--file <file>", "CSV with a header, or .ndjson with one object a line")
    .option("--id-column <name>", "where the prediction's id is (vedette_id of its answer)")
    .option("--model <name>", "whose predictions they are, where no id says it")
    .option("--entity-column <name>", "instead of the id: where the entity is (vedette_entity of the request) …")
    .option("--time-column <name>", "… and where its time is (vedette_time): ISO, UTC without a zone, or ms")
    .option("--request-column <name>", "instead of the id: where the request's id is, for requests of one row")
    .option("--label-column <name>", "where the truth is: a class, or a number", "label")
    .option("--at-column <name>", "where it is when the truth was found: of two labels the newer one holds")
    .addHelpText(
      "after",
      "\nRows without a label are passed over. Labels of predictions that have not come yet wait for them.\n\n" +
        "Example:\n  $ vedette label add --file inspected.csv --id-column prediction --label-column failed\n" +
        "  $ vedette label add --file weather.csv --model rain --entity-column station --time-column date --label-column sky",
    )
    .action(async (flags: AddFlags, command: Command) => {
      const context = contextOf(command, io);
      requireOneWay(flags);
      const api = await context.api();
      const total: Total = {
        lines: 0,
        skipped: 0,
        stored: 0,
        repeated: 0,
        corrected: 0,
        outdated: 0,
        erased: 0,
        unknownClasses: [],
      };
      const lines = linesOf(flags, () => total.skipped++);
      for await (const part of inParts(lines, linesAtOnce)) add(total, await api.addLabels(part));
      if (total.lines === 0) {
        throw new VedetteError("invalid_argument", `${flags.file} has no row with a label in ${flags.labelColumn}`);
      }
      if (!context.json && total.unknownClasses.length > 0) {
        const classes = total.unknownClasses.join(", ");
        io.stderr(printable(`No class of the model: ${classes}; they count as errors of its answers\n`));
      }
      context.answer(total, describeTotal(total));
    });

  label
    .command("status")
    .description("how labels stand to predictions: joined, waiting for theirs, corrected, erased")
    .addHelpText("after", "\nExample:\n  $ vedette label status")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const status = await (await context.api()).labelStatus();
      context.answer(status, describeStatus(status));
    });
}

function requireOneWay({ idColumn, model, entityColumn, timeColumn, requestColumn }: AddFlags): void {
  const ways = [idColumn, entityColumn, requestColumn].filter((way) => way !== undefined).length;
  const fits = ways === 1 && (entityColumn === undefined) === (timeColumn === undefined);
  if (!fits || (idColumn === undefined) === (model === undefined)) {
    throw new VedetteError(
      "invalid_argument",
      "say in one way whose labels these are: --id-column; or --model with --entity-column and --time-column; or --model with --request-column",
    );
  }
}

/** @param skipped hears of each row without a label. */
async function* linesOf(flags: AddFlags, skipped: () => void): AsyncGenerator<LabelLine> {
  let before = 0;
  for await (const row of readRows(flags.file)) {
    const line = asLine(row, flags, before);
    if (line === undefined) skipped();
    else {
      before++;
      yield line;
    }
  }
}

/** A row as the API has it; undefined where it holds no label. @throws VedetteError invalid_argument with its line. */
function asLine(row: FileRow, flags: AddFlags, before: number): LabelLine | undefined {
  const { model, idColumn, entityColumn, timeColumn, requestColumn, labelColumn, atColumn } = flags;
  const label = cell(row, labelColumn);
  if (label === undefined) return undefined;
  const text = (column: string | undefined) => {
    const value = column === undefined ? undefined : cell(row, column);
    return value === undefined ? undefined : String(value);
  };
  const time = (column: string | undefined) => (column === undefined ? undefined : utcMoment(cell(row, column)));
  const given = {
    id: text(idColumn),
    model,
    entity: text(entityColumn),
    time: time(timeColumn),
    request: text(requestColumn),
    label,
    at: time(atColumn),
  };
  const parsed = labelLine.safeParse(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  );
  if (parsed.success) return parsed.data;
  throw new VedetteError(
    "invalid_argument",
    `${flags.file}, line ${row.line}: ${misfit(parsed.error)}. ` +
      `Mend it and run this again: of the ${before} labels before it none is taken twice`,
  );
}

function add(total: Total, answer: LabelsAnswer): void {
  for (const what of ["lines", "stored", "repeated", "corrected", "outdated", "erased"] as const)
    total[what] += answer[what];
  total.unknownClasses = [...new Set([...total.unknownClasses, ...answer.unknownClasses])].slice(0, 10);
}

function describeTotal({ lines, stored, repeated, corrected, outdated, erased, skipped }: Total): string {
  const rest = [
    [repeated, "known already"],
    [corrected, "corrected"],
    [outdated, "older than what holds"],
    [erased, "of erased entities, not kept"],
    [skipped, "rows without a label"],
  ] as const;
  const told = rest.filter(([count]) => count > 0).map(([count, what]) => `, ${count} ${what}`);
  return `${lines} label${lines === 1 ? "" : "s"}: ${stored} new${told.join("")}\n`;
}

function describeStatus({ models }: LabelStatus): string {
  if (models.length === 0) return "No labels yet: vedette label add --help\n";
  const columns = [
    "model",
    "labels",
    "joined",
    "waiting",
    "ambiguous",
    "corrected",
    "erased",
    "removed",
    "newest",
    "labelled",
  ];
  const rows = models.map((one) => {
    const { model, labels, joined, waiting, ambiguous, corrected, erased, removed, newest, labelled, predictions } =
      one;
    const share = predictions === 0 ? "" : ` (${((100 * labelled) / predictions).toFixed(0)} %)`;
    return [
      model,
      labels,
      joined,
      waiting,
      ambiguous,
      corrected,
      erased,
      removed,
      newest,
      `${labelled} of ${predictions}${share}`,
    ];
  });
  return table(columns, rows);
}
