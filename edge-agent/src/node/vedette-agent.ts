#!/usr/bin/env node
/** The command `vedette-agent`: options in, one JSON line on stdout when ready, log lines on stderr, an exit code. */
import { hostname } from "node:os";
import { codeOf, exitCodeOf, exitCodes, messageOf } from "@vedette/protocol/errors";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { BatchSummary } from "./batch/predict-file.ts";
import { enrolmentToken } from "./enrolment-token.ts";
import { loadGatewayConfig, settings } from "./gateway/config.ts";
import { addKeyCommand } from "./gateway/key-command.ts";
import { agentVersion, openNodeAgent } from "./node-agent.ts";
import { createPinoLogger } from "./pino-logger.ts";
import { refuseControlPlaneHome, runAgent } from "./run-agent.ts";

/** An orderly end that takes longer is given up: a supervisor would kill the process anyway. */
const stopWithinMs = 15_000;

interface RunFlags {
  home: string;
  enroll?: string;
  enrollFile?: string;
  name?: string;
  label?: Record<string, string>;
  spoolMb?: number;
  spoolDays?: number;
  gatewayConfig?: string;
  dataMbPerDay?: number;
  json?: boolean;
}

/** `vedette agent run` starts this command, and its words are then those. */
const name = process.env.VEDETTE_INVOKED_AS || "vedette-agent";
const exitCodeHelp = "Exit codes: 0 ok, 1 yours to mend (options, token, folder), 2 ours (disk, network, a fault).";

const program = new Command(name)
  .description("Verifies, proves and serves models on this device, and keeps watch over them.")
  .version(agentVersion)
  .exitOverride()
  .configureOutput({ writeErr: () => undefined })
  .addHelpText(
    "after",
    `
Examples:
  $ ${name} run --home ./station-1 --enroll-file token --name station-1
  $ ${name} run --home ./station-1
  $ ${name} predict --home ./station-1 --model rain-gauge --in days.parquet --out sky.parquet

${exitCodeHelp}`,
  );

const run = program
  .command("run")
  .description("run the agent in the foreground until SIGTERM or SIGINT")
  .requiredOption(
    "--home <folder>",
    "the agent's own folder: its key, site, models and prediction spool; one agent a folder",
  )
  .option("--enroll-file <file>", "join by the token in this file at the first start; ignored afterwards")
  .option("--enroll <token>", "the token itself, which the process list shows; - reads it from standard input")
  .option("--name <id>", "the device's name (default: the host's)")
  .option("--label <key=value>", "a label of the device; may be given more than once", addLabel)
  .option(
    "--spool-mb <number>",
    "disk that predictions may take that are not sent yet; then the log policy says what goes, and it is counted (default: 256)",
    parsePositive,
  )
  .option(
    "--spool-days <number>",
    "unsent predictions older than this go, and are counted (default: never)",
    parsePositive,
  )
  .option("--gateway-config <file>", "settings of the HTTP server as JSON (or VEDETTE_GATEWAY_CONFIG)")
  .option("--data-mb-per-day <number>", "MB that may be sent and received in a day before models wait", parseMegabytes)
  .option("--json", "answers and errors as JSON")
  .addHelpText(
    "after",
    `
The token may also be in VEDETTE_ENROLL_TOKEN.
Prints {"ready":true,"url":…} when it can be asked: also offline, and also before it has a model.
It stops in order at the first signal, and at once at the second.

Example:
  $ ${name} run --home ./station-1 --enroll-file token --name station-1 --label city=seattle
  $ vedette device enroll | ${name} run --home ./station-2 --enroll - --name station-2
  $ curl http://127.0.0.1:8790/v2/models

${exitCodeHelp}`,
  )
  .action(start);
for (const { flag, variable, help } of settings) {
  run.addOption(new Option(flag, `${help} [${variable}]`).helpGroup("HTTP server (docs/guides/gateway.md):"));
}
addKeyCommand(program, name, exitCodeHelp);

program
  .command("predict")
  .description("predict for every row of a file: the same checks, model, fallback and log as when serving")
  .requiredOption("--home <folder>", "the agent's own folder; no agent may be running in it")
  .requiredOption("--model <name>", "the model")
  .requiredOption("--in <file>", "rows by field name: .csv, .ndjson (.jsonl) or .parquet")
  .requiredOption("--out <file>", "answers in the rows' order: .csv, .ndjson (.jsonl) or .parquet")
  .option(
    "--wait <seconds>",
    "longest wait for a version to serve (default: 30 for a model that is here, none for one that is not)",
    parseSeconds,
  )
  .option("--verbose", "all of the agent's log on standard error, and not its warnings only")
  .option("--json", "answers and errors as JSON; no progress")
  .addHelpText(
    "after",
    `
Columns that are none of the model's are passed over; each answer has its row's place in "row". The predictions are in the
agent's log, and reach the lake when it next meets its control plane.

Example:
  $ ${name} predict --home ./station-1 --model rain-gauge --in days.parquet --out sky.parquet

${exitCodeHelp}`,
  )
  .action(predict);

interface PredictFlags {
  home: string;
  model: string;
  in: string;
  out: string;
  wait?: number;
  verbose?: boolean;
  json?: boolean;
}

async function predict(flags: PredictFlags): Promise<void> {
  // Parquet and CSV are of no use to an agent that serves.
  const { predictFile } = await import("./batch/predict-file.ts");
  const log = createPinoLogger(flags.verbose ? "info" : "warn");
  await refuseControlPlaneHome(flags.home);
  const { agent, close } = await openNodeAgent({ home: flags.home, log });
  let told = performance.now();
  const progress = (rows: number): void => {
    if (flags.json || performance.now() - told < 1_000) return;
    told = performance.now();
    process.stderr.write(`${rows} rows\n`);
  };
  const summary = await predictFile({
    agent,
    model: flags.model,
    input: flags.in,
    output: flags.out,
    waitMs: flags.wait === undefined ? undefined : 1_000 * flags.wait,
    progress,
  }).finally(close);
  if (flags.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else process.stdout.write(describeBatch(summary));
}

function describeBatch({ rows, model, sources, reasons, out, seconds }: BatchSummary): string {
  const counts = (counted: Readonly<Record<string, number>>) =>
    Object.entries(counted)
      .map(([word, n]) => `${word} ${n}`)
      .join(", ");
  const fell = counts(reasons);
  return `${rows} rows by ${model} in ${seconds.toFixed(1)} s: ${counts(sources) || "none"}${fell ? ` (${fell})` : ""}\nWritten to ${out}\n`;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new InvalidArgumentError("seconds are 0 or more.");
}

async function start(flags: RunFlags): Promise<void> {
  const gateway = await loadGatewayConfig({
    flags: { ...flags },
    env: process.env,
    file: flags.gatewayConfig ?? (process.env.VEDETTE_GATEWAY_CONFIG || undefined),
  });
  const log = createPinoLogger();
  const token = enrolmentToken(
    { argument: flags.enroll, file: flags.enrollFile, variable: process.env.VEDETTE_ENROLL_TOKEN },
    process.stdin,
  );
  const stopped = untilSignal();
  const running = await runAgent({
    home: flags.home,
    log,
    gateway,
    apiKey: process.env.VEDETTE_API_KEY || undefined,
    spool: {
      ...(flags.spoolMb !== undefined && { bytes: flags.spoolMb * 1024 * 1024 }),
      ...(flags.spoolDays !== undefined && { ageMs: flags.spoolDays * 86_400_000 }),
    },
    ...(flags.dataMbPerDay !== undefined && { dataBytesPerDay: flags.dataMbPerDay * 1e6 }),
    ...(token && {
      enrolment: {
        token,
        agent: flags.name ?? hostname().replaceAll(/[^A-Za-z0-9_-]/g, "-"),
        labels: flags.label ?? {},
      },
    }),
  });
  process.stdout.write(`${JSON.stringify({ ready: true, url: running.url })}\n`);
  const signal = await stopped;
  log.info("agent.stopping", { signal });
  setTimeout(() => {
    log.error("agent.stop_given_up", { afterMs: stopWithinMs });
    process.exit(exitCodes.systemFault);
  }, stopWithinMs).unref();
  await running.stop();
}

/** The first signal asks for an orderly end; a second one ends at once. */
function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const on = (signal: NodeJS.Signals) => {
      if (asked) process.exit(exitCodes.systemFault);
      asked = true;
      resolve(signal);
    };
    process.on("SIGTERM", on);
    process.on("SIGINT", on);
  });
}

function addLabel(text: string, labels: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("a label is key=value.");
  return { ...labels, [text.slice(0, at)]: text.slice(at + 1) };
}

function parsePositive(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number > 0 && Number.isFinite(number)) return number;
  throw new InvalidArgumentError("a number above 0 is expected.");
}

function parseMegabytes(text: string): number {
  const megabytes = Number(text);
  if (text.trim() !== "" && megabytes > 0 && megabytes < 1e9) return megabytes;
  throw new InvalidArgumentError("a number of MB is above 0.");
}

/** Tells what went wrong in one line. @returns the exit code. */
function fail(error: unknown): number {
  const usage = error instanceof CommanderError;
  if (usage && error.exitCode === 0) return exitCodes.ok;
  const message = usage ? usageMessage(error) : messageOf(error);
  const told = { code: usage ? "invalid_argument" : codeOf(error), message };
  const json = process.argv.includes("--json");
  process.stderr.write(json ? `${JSON.stringify({ error: told })}\n` : `${name}: ${told.message} (${told.code})\n`);
  return usage ? exitCodes.userFault : exitCodeOf(error);
}

/** A command without a verb is answered by commander with its help, which is no message. */
function usageMessage({ message }: CommanderError): string {
  return message === "(outputHelp)" ? `say what to do: see ${name} --help` : message.replace(/^error: /, "");
}

try {
  await program.parseAsync();
  process.exit(exitCodes.ok);
} catch (error) {
  process.exit(fail(error));
}
