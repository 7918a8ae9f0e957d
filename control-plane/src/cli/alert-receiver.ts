/** `vedette alert receiver`: who is told of alerts. */
import { readFile } from "node:fs/promises";
import { type AlertReceiver, type Severity, severities } from "@vedette/protocol/alerts-api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { type Command, Option } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { table } from "./table.ts";

interface AddFlags {
  name: string;
  to: string;
  minSeverity: Severity;
  headerFile?: string;
}

export function addAlertReceiver(alert: Command, io: Io): void {
  const receiver = alert.command("receiver").description("webhooks that are told of alerts");
  const tell = (receivers: readonly AlertReceiver[]): string => {
    const rows = receivers.map((one) => [
      one.name,
      one.url,
      one.minSeverity,
      one.headers,
      one.lastDelivery,
      one.failures,
      one.lastError,
    ]);
    const columns = ["receiver", "url", "from", "headers", "last delivery", "failures", "last error"];
    return rows.length === 0 ? "Nobody is told: vedette alert receiver add --help\n" : table(columns, rows);
  };

  receiver
    .command("add")
    .description("tell a webhook of alerts, in the shape of Alertmanager's version 4")
    .requiredOption("--to <url>", "where to POST (http or https)")
    .option("--name <name>", "what to call it", "default")
    .addOption(new Option("--min-severity <severity>", "told of these and worse").choices(severities).default("info"))
    .option("--header-file <file>", "lines `Name: value` to send along, as a token; kept apart, never shown")
    .addHelpText(
      "after",
      "\nWhat a receiver did not take (2xx) is sent again until it does. Try it: vedette alert receiver test\n\n" +
        "Example:\n  $ vedette alert receiver add --name pager --to https://pager.example/hook --min-severity critical --header-file pager.headers",
    )
    .action(async ({ name, to, minSeverity, headerFile }: AddFlags, command: Command) => {
      const context = contextOf(command, io);
      const headers = headerFile === undefined ? undefined : await readHeaderFile(headerFile);
      const request = { name, url: to, minSeverity, ...(headers === undefined ? {} : { headers }) };
      const receivers = await (await context.api()).addReceiver(request);
      context.answer({ receivers }, tell(receivers));
    });
  receiver
    .command("list")
    .description("who is told, and why one was not")
    .addHelpText("after", "\nExample:\n  $ vedette alert receiver list")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const receivers = await (await context.api()).receivers();
      context.answer({ receivers }, tell(receivers));
    });
  receiver
    .command("remove")
    .description("tell it no more; what it was not told yet is told to nobody in its place")
    .option("--name <name>", "which", "default")
    .addHelpText("after", "\nExample:\n  $ vedette alert receiver remove --name pager")
    .action(async ({ name }: { name: string }, command: Command) => {
      const context = contextOf(command, io);
      const receivers = await (await context.api()).removeReceiver(name);
      context.answer({ receivers }, tell(receivers));
    });
  receiver
    .command("test")
    .description("send it a harmless alert that fires and resolves, and say whether it was taken")
    .option("--name <name>", "which", "default")
    .addHelpText("after", "\nExample:\n  $ vedette alert receiver test --name pager")
    .action(async ({ name }: { name: string }, command: Command) => {
      const context = contextOf(command, io);
      const tested = await (await context.api()).testReceiver(name);
      if (!tested.delivered)
        throw new VedetteError("offline", `${name} did not take the test: ${tested.why ?? "it did not say why"}`);
      context.answer(tested, `${name} took it: VedetteTest fired and resolved.\n`);
    });
}

/** Lines `Name: value`; empty ones are passed over. What a line says is in no message: it is a secret. */
async function readHeaderFile(file: string): Promise<Record<string, string>> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new VedetteError("invalid_argument", `--header-file ${file} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const lines = text.split(/\r?\n/).map((line, i) => [line.trim(), i + 1] as const);
  const headers = lines.flatMap(([line, at]) => {
    if (line === "") return [];
    const [, name, value] = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):\s*([\x20-\x7e]+)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) return [[name, value] as const];
    throw new VedetteError("invalid_argument", `line ${at} of --header-file ${file} is no header: write Name: value`);
  });
  if (headers.length > 0) return Object.fromEntries(headers);
  throw new VedetteError("invalid_argument", `--header-file ${file} holds no header: write lines as Name: value`);
}
