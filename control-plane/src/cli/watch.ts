/** `vedette watch`: models that are served elsewhere, whose predictions come here. */
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import type { Watch, WatchSpec } from "@vedette/protocol/watch-api";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { type Command, Option } from "commander";
import { readCsv } from "../publish/csv-table.ts";
import { sha256 } from "../sha256.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { fitting, integerFrom, list, version } from "./option-values.ts";
import { table } from "./table.ts";
import { describeReference, type ReferenceFlags } from "./watch-reference.ts";

type AddFlags = ReferenceFlags & { name: string; version?: number };

/** Lines that are sent at once; and characters of them. */
const mostLines = 1000;
const mostCharacters = 1024 * 1024;

export function addWatch(program: Command, io: Io): void {
  const watch = program
    .command("watch")
    .description("models that are served elsewhere: their predictions, drift and alerts here");

  watch
    .command("add")
    .description("watch a model that is served elsewhere, by reference data or as a published version")
    .requiredOption("--name <model>", "what to call it", fitting(modelName))
    .option("--version <number>", "a published version of that name: its fields and drift reference", version)
    .option("--reference <csv>", "data as it was trained on; they stay here, and only counts of them are sent")
    .option("--features <names>", "the model's inputs, in order (default: the numeric columns but the label)", list)
    .option("--label <column>", "what it predicts: names the classes, where it is a text, or 0 and 1")
    .addOption(new Option("--task <task>", "what an answer is").choices(["classification", "regression", "unknown"]))
    .option("--drift-window <rows>", "rows that drift is judged over", integerFrom(50, 1_000_000))
    .addHelpText(
      "after",
      "\nThen the server's logger posts to <control plane>/v1/watch/<model>, with the token of an operator of the role\n" +
        "ingest, which may do nothing else: vedette operator add LOGGER --role ingest\n\n" +
        "Example:\n  $ vedette watch add --name churn --reference train.csv --label churned",
    )
    .action(async ({ name, version, ...flags }: AddFlags, command: Command) => {
      const context = contextOf(command, io);
      if ((version === undefined) === (flags.reference === undefined))
        throw new VedetteError("invalid_argument", "say --reference <csv>, or --version <number> of a published model");
      const request = version === undefined ? { model: name, ...(await referenceOf(flags)) } : { model: name, version };
      const watches = await (await context.api()).addWatch(request);
      context.answer({ watches }, tell(watches));
    });

  watch
    .command("list")
    .description("what is watched, how much came, and whether inputs drift")
    .addHelpText("after", "\nExample:\n  $ vedette watch list")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const watches = await (await context.api()).watches();
      context.answer({ watches }, tell(watches));
    });

  watch
    .command("remove")
    .description("watch a model no more; its predictions stay")
    .requiredOption("--name <model>", "which", fitting(modelName))
    .addHelpText("after", "\nExample:\n  $ vedette watch remove --name churn")
    .action(async ({ name }: { name: string }, command: Command) => {
      const context = contextOf(command, io);
      const watches = await (await context.api()).removeWatch(name);
      context.answer({ watches }, tell(watches));
    });

  watch
    .command("import")
    .description("bring predictions from a file: a JSON object a line, with inputs and what was answered")
    .argument("<file>", 'lines such as {"id":"7","time":"2027-01-31T12:00:00Z","inputs":{"age":41},"label":"no"}')
    .requiredOption("--name <model>", "whose", fitting(modelName))
    .addHelpText(
      "after",
      "\nAn id is taken once. A line without one gets one from the file's content and its place, so that a file may be\n" +
        "imported again after a failure.\n\nExample:\n  $ vedette watch import predictions.ndjson --name churn",
    )
    .action(async (file: string, { name }: { name: string }, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const sum = { accepted: 0, repeated: 0, refused: 0, lines: 0 };
      let firstRefusal: string | undefined;
      for (const { from, lines } of parts(await readLines(file))) {
        sum.lines += lines.length;
        try {
          const answer = await api.sendRows(name, lines.join("\n"));
          sum.accepted += answer.accepted;
          sum.repeated += answer.repeated;
          sum.refused += lines.length - answer.accepted - answer.repeated;
          firstRefusal ??= answer.refused[0] && `from line ${from} on, ${answer.refused[0].why}`;
        } catch (error) {
          if (!(error instanceof VedetteError && error.code === "invalid_input")) throw error;
          sum.refused += lines.length;
          firstRefusal ??= `from line ${from} on, ${error.message}`;
        }
      }
      const { accepted, repeated, refused } = sum;
      context.answer(sum, `${accepted} predictions taken, ${repeated} were known, ${refused} did not fit.\n`);
      if (firstRefusal !== undefined)
        throw new VedetteError("invalid_input", `${refused} of ${sum.lines} lines did not fit: ${firstRefusal}`);
    });
}

async function referenceOf(flags: ReferenceFlags): Promise<{ spec: WatchSpec; reference: string }> {
  const csv = await readCsv(flags.reference ?? "");
  try {
    return await describeReference(csv, flags, await loadKernelsNode());
  } finally {
    csv.close();
  }
}

/** Lines of a file, each with an id. */
async function readLines(file: string): Promise<{ at: number; line: string }[]> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new VedetteError("invalid_argument", `${file} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const content = sha256(text).slice(0, 24);
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    return [{ at: i + 1, line: withId(line.trim(), `import-${content}-${i + 1}`) }];
  });
}

/** What is no JSON object is sent as it is: the control plane says what is wrong with it. */
function withId(line: string, id: string): string {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value) || "id" in value) return line;
    return JSON.stringify({ id, ...value });
  } catch {
    return line;
  }
}

function parts(lines: readonly { at: number; line: string }[]): { from: number; lines: string[] }[] {
  const all: { from: number; lines: string[] }[] = [];
  let characters = 0;
  for (const { at, line } of lines) {
    const last = all.at(-1);
    characters += line.length;
    if (last && last.lines.length < mostLines && characters < mostCharacters) last.lines.push(line);
    else {
      all.push({ from: at, lines: [line] });
      characters = line.length;
    }
  }
  return all;
}

function tell(watches: readonly Watch[]): string {
  const rows = watches.map((one) => [
    one.model,
    one.version ?? "reference data",
    one.predictions,
    one.lastAt,
    one.waiting,
    one.refused,
    one.drift === null ? null : moved(one.drift),
  ]);
  const columns = ["model", "as", "predictions", "last", "under way", "refused", "drift"];
  return rows.length === 0 ? "Nothing is watched: vedette watch add --help\n" : table(columns, rows);
}

function moved({ verdict, fields }: NonNullable<Watch["drift"]>): string {
  const names = fields.filter((field) => field.verdict === "drift").map(({ name }) => name);
  return names.length === 0 ? verdict : `DRIFT: ${names.join(", ")}`;
}
