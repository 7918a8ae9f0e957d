/** `vedette prediction query`: the fleet's predictions, by filters or by SQL. */

import { VedetteError } from "@vedette/protocol/errors";
import { sources } from "@vedette/protocol/ids";
import { type Command, Option } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { integer, moment } from "./option-values.ts";
import { table } from "./table.ts";

interface QueryFlags {
  model?: string;
  agent?: string;
  source?: (typeof sources)[number];
  since?: string;
  limit?: number;
  sql?: string;
}

export function addPrediction(program: Command, io: Io): void {
  program
    .command("prediction")
    .description("what the fleet answered")
    .command("query")
    .description("predictions, the newest first; or one SELECT over the view `predictions`")
    .option("--model <name>", "of this model")
    .option("--agent <id>", "of this device")
    .addOption(new Option("--source <source>", "answered by").choices(sources))
    .option("--since <moment>", "from this moment on", moment)
    .option("--limit <number>", "at most so many (default: 100)", integer)
    .option("--sql <select>", "a SELECT instead of the filters")
    .addHelpText(
      "after",
      '\nExample:\n  $ vedette prediction query --model rain-gauge --source rule\n  $ vedette prediction query --sql "SELECT source, count(*) FROM predictions GROUP BY source"',
    )
    .action(async (flags: QueryFlags, command: Command) => {
      const context = contextOf(command, io);
      const { sql, model, agent, source, since, limit } = flags;
      const filters = { model, agent, source, since, limit };
      if (sql !== undefined && Object.values(filters).some((value) => value !== undefined)) {
        throw new VedetteError("invalid_argument", "--sql says it all: leave the other filters out");
      }
      const given = Object.fromEntries(Object.entries({ ...filters, sql }).filter(([, value]) => value !== undefined));
      const answer = await (await context.api()).query(given);
      const none = answer.rows.length === 0 ? "No predictions fit.\n" : table(answer.columns, answer.rows);
      context.answer(answer, none);
    });
}
