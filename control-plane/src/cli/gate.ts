/** `vedette gate`: why a version may or may not be released, check it anew, let it pass all the same, and its key. */
import { type GateCheck, type GateState, longestOverrideMs } from "@vedette/protocol/gate-api";
import { modelName } from "@vedette/protocol/ids";
import { type Command, InvalidArgumentError } from "commander";
import { percent } from "../percent.ts";
import type { ApiClient } from "./api-client.ts";
import { type Context, contextOf } from "./context.ts";
import { Finding } from "./finding.ts";
import type { Io } from "./io.ts";
import { durationOf, fitting, version } from "./option-values.ts";
import { newest } from "./selector-flags.ts";
import { show, table } from "./table.ts";

interface VersionFlags {
  model: string;
  version?: number;
}

interface AskFlags extends VersionFlags {
  fail?: boolean;
}

const mostDays = longestOverrideMs / 86_400_000;

/** That `--fail` ends with where no rollout takes the version. */
const held = 3;

export function addGate(program: Command, io: Io): void {
  const gate = program.command("gate").description("what a version must pass before any rollout may take it");

  asking(gate.command("show").description("what the gate says of a version, and on what that rests"))
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette gate show --model rain-gauge --version 3\n  $ vedette gate show --model rain-gauge --fail && vedette rollout start --model rain-gauge --all",
    )
    .action(async (flags: AskFlags, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      tell(context, await api.gate(flags.model, await versionOf(api, flags)), flags);
    });

  asking(gate.command("run").description("check a version anew, against the champion of now; it takes seconds"))
    .addHelpText("after", "\nExample:\n  $ vedette gate run --model rain-gauge --version 3")
    .action(async (flags: AskFlags, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      tell(context, await api.runGate(flags.model, await versionOf(api, flags)), flags);
    });

  named(gate.command("override").description("let a version that failed be released all the same; kept in the audit"))
    .requiredOption("--reason <text>", "why, for those who read it later")
    .requiredOption("--expires <duration>", `for how long, as 4h or 7d; ${mostDays}d at most`, lasting)
    .addHelpText(
      "after",
      '\nExample:\n  $ vedette gate override --model rain-gauge --version 3 --reason "pages do not run it" --expires 24h',
    )
    .action(async (flags: VersionFlags & { reason: string; expires: number }, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const expiresAt = new Date(io.now() + flags.expires).toISOString();
      const version = await versionOf(api, flags);
      const state = await api.overrideGate(flags.model, version, { reason: flags.reason, expiresAt });
      context.answer(state, describeGate(state));
    });

  named(gate.command("withdraw").description("end an override before its time; a rollout by it is aborted"))
    .requiredOption("--reason <text>", "why, for those who read it later")
    .addHelpText(
      "after",
      '\nExample:\n  $ vedette gate withdraw --model rain-gauge --version 3 --reason "a page runs it now"',
    )
    .action(async (flags: VersionFlags & { reason: string }, command: Command) => {
      const context = contextOf(command, io);
      const api = await context.api();
      const state = await api.withdrawOverride(flags.model, await versionOf(api, flags), flags.reason);
      context.answer(state, describeGate(state));
    });

  addKey(gate, io);
}

function addKey(gate: Command, io: Io): void {
  gate
    .command("key")
    .description("the public key that signs the gate's reports, for `signer init`; another: keys rotate --role gate")
    .addHelpText("after", "\nExample:\n  $ vedette gate key")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const keys = await (await context.api()).gateKeys();
      const next = keys.next === null ? "" : `A rotation to ${keys.next} is under way.\n`;
      context.answer(keys, `${keys.key}\n${next}`);
    });
}

function named(command: Command): Command {
  return command
    .requiredOption("--model <name>", "the model", fitting(modelName))
    .option("--version <number>", "the version (default: the newest)", version);
}

function asking(command: Command): Command {
  return named(command).option(
    "--fail",
    `end with ${held} where it failed or was not checked, and nothing lets it pass`,
  );
}

/** @throws Finding where --fail asks for it. */
function tell(context: Context, state: GateState, { fail }: AskFlags): void {
  context.answer(state, describeGate(state));
  if (!fail || state.state === "passed" || state.state === "overridden") return;
  throw new Finding(held, `${state.model} version ${state.version} ${words[state.state]}`);
}

async function versionOf(api: ApiClient, { model, version }: VersionFlags): Promise<number> {
  return version ?? (await newest(api, model));
}

/** How long an override holds. It ends by itself, so no day or moment is named. */
function lasting(text: string): number {
  const ms = durationOf(text);
  if (ms !== null && ms <= longestOverrideMs) return ms;
  throw new InvalidArgumentError(
    `Write how long it holds from now, as --expires 24h (or 90m, 7d); ${mostDays}d at most.`,
  );
}

const words = {
  passed: "passed the gate",
  failed: "failed the gate",
  overridden: "is let pass",
  missing: "has not been checked",
};

function describeGate({ model, version, state, why, report }: GateState): string {
  const because = state === "passed" ? "" : `: ${show(inShort(why, report?.checks ?? []))}`;
  const head = `${model} version ${version} ${words[state]}${because}\n`;
  if (!report) return head;
  const against = report.champion ? `, against version ${report.champion.version}` : "";
  const next =
    state === "failed"
      ? `Next: publish a better one, or vedette gate override --model ${model} --version ${version} --reason … --expires 24h\n`
      : "";
  const rows = report.checks.map((check) => [check.name, said(check), measured(check), check.why]);
  return `${head}Checked ${report.at}${against}:\n${table(["check", "says", "measured", "why"], rows)}${next}`;
}

/** Why each check failed stands in the table: only its name is left of that. */
function inShort(why: string, checks: readonly GateCheck[]): string {
  return checks.reduce((text, check) => text.replace(`${check.name}: ${check.why}`, () => check.name), why);
}

function said({ passed }: GateCheck): string {
  return passed === null ? "-" : passed ? "passed" : "FAILED";
}

function measured({ measured, limit, unit }: GateCheck): string | null {
  if (measured === null) return null;
  if (unit === "bytes") return `${mib(measured)}${limit === null ? "" : ` of ${mib(limit)}`} MiB`;
  const short = (value: number) => String(Number(value.toPrecision(3)));
  // How far the golden vectors come out from what was published: 0 is the very bits, 1 as far as may be.
  if (unit === "of the tolerance") return measured === 0 ? "exact" : `off by ${ofTolerance(measured)}`;
  if (unit === "of loss") {
    const most = limit === null ? "" : `, ${short(limit)} is let pass`;
    return measured > 0
      ? `worse by ${short(measured)}${most}`
      : `${measured === 0 ? "as good" : `better by ${short(-measured)}`}`;
  }
  if (unit === "share") return `${percent(measured)} right`;
  return `${short(measured)}${limit === null ? "" : ` of ${short(limit)}`}${unit === null ? "" : ` ${unit}`}`;
}

function ofTolerance(share: number): string {
  return `${share < 1e-4 ? "under 0.01 %" : percent(share)} of the tolerance`;
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
