/** `vedette prediction query`: the fleet's predictions, by filters or by SQL. Its other verbs are in files of their own. */

import { maxQueryRows } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { sources } from "@vedette/protocol/ids";
import { type Command, Option } from "commander";
import type { ApiClient } from "./api-client.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { narrow } from "./narrow-rows.ts";
import { integerFrom, moment } from "./option-values.ts";
import { addCounts } from "./prediction-counts.ts";
import { addErase } from "./prediction-erase.ts";
import { addExport } from "./prediction-export.ts";
import { addRetention } from "./prediction-retention.ts";
import { addVerify } from "./prediction-verify.ts";
import { table } from "./table.ts";

/** When a device sends its log, and the lake what it was sent: an answer is asked for in vain until then. */
const rowsCome = "an answer's row comes about ten seconds after the answer";

interface QueryFlags {
  model?: string;
  device?: string;
  source?: (typeof sources)[number];
  since?: string;
  limit?: number;
  sql?: string;
  wide?: boolean;
}

export function addPrediction(program: Command, io: Io): void {
  const prediction = program.command("prediction").description("what the fleet answered");
  addCounts(prediction, io);
  addErase(prediction, io);
  addRetention(prediction, io);
  addExport(prediction, io);
  addVerify(prediction, io);
  prediction
    .command("query")
    .description("predictions, the newest first; or one SELECT over the view `predictions`")
    .option("--model <name>", "of this model")
    .option("--device <id>", "of this device")
    .addOption(new Option("--source <source>", "answered by").choices(sources))
    .option("--since <moment>", "from this moment on", moment)
    .option("--limit <number>", "rows at most (default: 100, with --sql 10000)", integerFrom(1, maxQueryRows))
    .option("--sql <select>", "a SELECT instead of the filters")
    .option("--wide", "all columns of the table, however wide")
    .addHelpText(
      "after",
      '\nExample:\n  $ vedette prediction query --model rain-gauge --source rule\n  $ vedette prediction query --sql "SELECT source, count(*) FROM predictions GROUP BY source"',
    )
    .action(async (flags: QueryFlags, command: Command) => {
      const context = contextOf(command, io);
      const { sql, model, device: agent, source, since, limit } = flags;
      const filters = { model, agent, source, since };
      if (sql !== undefined && Object.values(filters).some((value) => value !== undefined)) {
        throw new VedetteError("invalid_argument", "--sql says it all: leave the other filters out");
      }
      const given = Object.fromEntries(
        Object.entries({ ...filters, limit, sql }).filter(([, value]) => value !== undefined),
      );
      const api = await context.api();
      const answer = await api.query(given);
      if (answer.rows.length === 0 && sql === undefined) await requireKnown(api, model, agent);
      const shown = sql === undefined && !flags.wide ? narrow(answer) : { ...answer, hidden: [] };
      if (!context.json && shown.hidden.length > 0)
        io.stderr(`Not shown: ${shown.hidden.join(", ")} (--wide, --json)\n`);
      if (!context.json && answer.truncated)
        io.stderr(`There are more than these ${plural(answer.rows.length)}: --limit takes up to ${maxQueryRows}\n`);
      context.answer(answer, answer.rows.length === 0 ? nothing(sql) : table(shown.columns, shown.rows));
    });
}

/** A filter by a name that nobody has would answer nothing for ever. @throws VedetteError not_found. */
async function requireKnown(api: ApiClient, model: string | undefined, agent: string | undefined): Promise<void> {
  if (model !== undefined && !(await api.models()).models.some(({ name }) => name === model))
    throw new VedetteError("not_found", `there is no model ${model}: see vedette model list`);
  if (agent !== undefined && !(await api.devices()).some((device) => device.agent === agent))
    throw new VedetteError("not_found", `there is no device ${agent}: see vedette device list`);
}

function nothing(sql: string | undefined): string {
  return sql === undefined ? `No predictions fit; ${rowsCome}.\n` : `No rows; ${rowsCome}.\n`;
}

function plural(rows: number): string {
  return `${rows} row${rows === 1 ? "" : "s"}`;
}
