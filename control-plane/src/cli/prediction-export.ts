/** `vedette prediction export`: predictions into a file that others read. */
import { type ExportRequest, exportFormats } from "@vedette/protocol/records-api";
import { type Command, Option } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { moment } from "./option-values.ts";
import { saveStream } from "./save-stream.ts";

interface ExportFlags {
  format: ExportRequest["format"];
  model?: string;
  since?: string;
  until?: string;
  out: string;
}

export function addExport(prediction: Command, io: Io): void {
  prediction
    .command("export")
    .description("predictions as CloudEvents, as JSON lines or as Parquet")
    .addOption(new Option("--format <format>", "what the file holds").choices(exportFormats).default("cloudevents"))
    .option("--model <name>", "of this model")
    .option("--since <moment>", "answered from this moment on", moment)
    .option("--until <moment>", "answered before this moment", moment)
    .requiredOption("--out <file>", "a file that is not there yet")
    .addHelpText(
      "after",
      "\nCloudEvents are of KServe's types, one JSON a line; for receivers that take them as they come: vedette sink add --help\n\n" +
        "Example:\n  $ vedette prediction export --since 2027-01-31 --out january.ndjson\n" +
        "  $ vedette prediction export --format parquet --model pump --out pump.parquet",
    )
    .action(async ({ format, model, since, until, out }: ExportFlags, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const filters = Object.entries({ model, since, until }).filter(([, value]) => value !== undefined);
      const bytes = await saveStream(() => api.export({ format, ...Object.fromEntries(filters) }), out);
      context.answer({ out, format, bytes }, `${out}: ${bytes} bytes\n`);
    });
}
