/** `vedette sink`: receivers that get predictions as they come. */
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { SinkState } from "@vedette/protocol/records-api";
import type { Command } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { table } from "./table.ts";

interface AddFlags {
  to: string;
  model?: string;
  fromStart?: boolean;
  bearerFile?: string;
}

export function addSink(program: Command, io: Io): void {
  const sink = program.command("sink").description("receivers that get predictions as they come");
  const tell = (sinks: readonly SinkState[]): string => {
    const rows = sinks.map(({ name, url, model, delivered, failures, lastError, lastDelivery }) => {
      return [name, url, model ?? "all", delivered, lastDelivery, failures, lastError];
    });
    const columns = ["sink", "to", "model", "delivered", "last delivery", "failures", "last error"];
    return rows.length === 0 ? "No sinks: vedette sink add --help\n" : table(columns, rows);
  };

  sink
    .command("add")
    .description("send predictions to an HTTP receiver, as CloudEvents in batches, at least once")
    .argument("<name>", "what to call it")
    .requiredOption("--to <url>", "where to POST application/cloudevents-batch+json")
    .option("--model <name>", "of this model only")
    .option("--from-start", "from the first row of the lake (default: from now on)")
    .option("--bearer-file <file>", "a token to send as Authorization: Bearer")
    .addHelpText(
      "after",
      "\nThe receiver answers 2xx when it has them; else they are sent again, at most five minutes later. By source and id it\n" +
        "knows events that it has already.\n\n" +
        "Example:\n  $ vedette sink add broker --to https://events.example/vedette --bearer-file token",
    )
    .action(async (name: string, { to, model, fromStart = false, bearerFile }: AddFlags, command: Command) => {
      const context = contextOf(command, io);
      const bearer = bearerFile === undefined ? undefined : await readBearer(bearerFile);
      const given = { ...(model === undefined ? {} : { model }), ...(bearer === undefined ? {} : { bearer }) };
      const sinks = await (await context.api()).addSink({ name, url: to, fromStart, ...given });
      context.answer({ sinks }, tell(sinks));
    });
  sink
    .command("list")
    .description("receivers, how many each has, and why one has none")
    .addHelpText("after", "\nExample:\n  $ vedette sink list")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const sinks = await (await context.api()).sinks();
      context.answer({ sinks }, tell(sinks));
    });
  sink
    .command("remove")
    .description("send no more")
    .argument("<name>", "which")
    .addHelpText("after", "\nExample:\n  $ vedette sink remove broker")
    .action(async (name: string, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const sinks = await (await context.api()).removeSink(name);
      context.answer({ sinks }, tell(sinks));
    });
}

async function readBearer(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new VedetteError("invalid_argument", `--bearer-file ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
