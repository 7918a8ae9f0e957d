/** `vedette alert`: what is wrong, taking it on, and who is told. */
import { type Alert, type alertStates, type Severity, severities } from "@vedette/protocol/alerts-api";
import { type Command, Option } from "commander";
import { addAlertReceiver } from "./alert-receiver.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { integerFrom } from "./option-values.ts";
import { show, table } from "./table.ts";

type State = (typeof alertStates)[number];
const number = integerFrom(1, Number.MAX_SAFE_INTEGER);

export function addAlert(program: Command, io: Io): void {
  const alert = program.command("alert").description("what is wrong, who took it on, and who is told");

  alert
    .command("list")
    .description("what fires, the worst first")
    .addOption(new Option("--state <state>", "which").choices(["firing", "resolved", "all"]).default("firing"))
    .addOption(new Option("--min-severity <severity>", "these and worse").choices(severities).default("info"))
    .option("--limit <n>", "resolved ones at most", integerFrom(1, 1000), 100)
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette alert list\n  $ vedette alert list --state all --min-severity warning",
    )
    .action(async (flags: { state: State; minSeverity: Severity; limit: number }, command: Command) => {
      const context = contextOf(command, io);
      const all = await (await context.api()).alerts(flags.state, flags.limit);
      const least = severities.indexOf(flags.minSeverity);
      const alerts = all.filter(({ severity }) => severities.indexOf(severity) >= least);
      context.answer({ alerts }, alerts.length === 0 ? "No alerts.\n" : listed(alerts));
    });

  alert
    .command("show")
    .description("one alert: since when, about what, and what to do")
    .argument("<id>", "its number in the list", number)
    .addHelpText("after", "\nExample:\n  $ vedette alert show 12")
    .action(async (id: number, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const found = await (await context.api()).alert(id);
      context.answer(found, described(found));
    });

  alert
    .command("ack")
    .description("take an alert on: receivers are not told again until it resolves or gets worse")
    .argument("<id>", "its number in the list", number)
    .option("--reason <text>", "what you know or do about it; shown, and kept in the audit")
    .addHelpText("after", '\nExample:\n  $ vedette alert ack 12 --reason "station 7 is being moved"')
    .action(async (id: number, { reason }: { reason?: string }, command: Command) => {
      const context = contextOf(command, io);
      const taken = await (await context.api()).ackAlert(id, reason);
      const by = taken.acknowledged?.by ?? "";
      context.answer(taken, `Alert ${id} (${taken.name}) is acknowledged by ${by}, until it resolves or gets worse.\n`);
    });

  addAlertReceiver(alert, io);
}

function listed(alerts: readonly Alert[]): string {
  const rows = alerts.map((one) => [
    one.id,
    one.severity,
    one.endsAt === null ? (one.quietSince === null ? "firing" : "quiet") : "resolved",
    one.startsAt,
    one.name,
    labelsOf(one),
    one.acknowledged?.by ?? null,
    one.annotations.summary ?? null,
  ]);
  return table(["id", "severity", "state", "since", "alert", "of", "taken on by", "summary"], rows);
}

function described(one: Alert): string {
  const { acknowledged: ack } = one;
  const lines: [name: string, text: string | null][] = [
    ["summary", one.annotations.summary ?? null],
    ["", one.annotations.description ?? null],
    ["of", labelsOf(one)],
    ["since", one.startsAt],
    ["until", one.endsAt],
    ["quiet since", one.endsAt === null ? one.quietSince : null],
    ["over because", one.annotations.resolved ?? null],
    ["taken on", ack && `by ${ack.by} at ${ack.at}${ack.reason === null ? "" : `: ${ack.reason}`}`],
    ["what to do", one.annotations.runbook_url ?? null],
    ["fingerprint", one.fingerprint],
  ];
  const body = lines.flatMap(([name, text]) => (text === null ? [] : [`  ${name.padEnd(12)}  ${show(text)}\n`]));
  return `${one.severity} ${one.state}: ${one.name} (${one.id})\n${body.join("")}`;
}

function labelsOf({ labels }: Alert): string | null {
  const all = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return all.length === 0 ? null : all.join(" ");
}
