/** `vedette prediction retention`: how long a model's rows are kept. */
import { VedetteError } from "@vedette/protocol/errors";
import type { Command } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { integerFrom } from "./option-values.ts";
import { table } from "./table.ts";

interface RetentionFlags {
  model?: string;
  days?: number;
  keep?: boolean;
}

export function addRetention(prediction: Command, io: Io): void {
  prediction
    .command("retention")
    .description("after how many days rows go; shows it, or sets it for a model")
    .option("--model <name>", "the model to set it for")
    .option("--days <number>", "rows go this many days after they came", integerFrom(1, 36_500))
    .option("--keep", "rows are kept (the default)")
    .addHelpText(
      "after",
      "\nWhole hours go at a time, and what is past the days goes at once. How many rows of what went stays known:\n" +
        "vedette prediction counts.\n\nExample:\n  $ vedette prediction retention --model pump --days 90",
    )
    .action(async ({ model, days, keep }: RetentionFlags, command: Command) => {
      const context = contextOf(command, io);
      const setting = days !== undefined || keep === true;
      if (setting && model === undefined) throw new VedetteError("invalid_argument", "say whose rows: --model <name>");
      if (days !== undefined && keep) throw new VedetteError("invalid_argument", "--days or --keep, not both");
      if (model !== undefined && !setting) throw new VedetteError("invalid_argument", "say --days <number> or --keep");
      const api = await context.api();
      const answer =
        model === undefined ? await api.retention() : await api.setRetention({ model, days: days ?? null });
      const rows = answer.policies.map((policy) => [policy.model, policy.days]);
      context.answer(answer, rows.length === 0 ? "All rows are kept.\n" : table(["model", "days"], rows));
    });
}
