/** The command line: nouns and verbs, one way to fail. */
import { createRequire } from "node:module";
import { codeOf, exitCodeOf, exitCodes, messageOf, VedetteError } from "@vedette/protocol/errors";
import { Command, CommanderError } from "commander";
import { jsonLine, printable } from "../printable.ts";
import { addAgent, addPredict, isAgents, runAgent } from "./agent.ts";
import { addAlert } from "./alert.ts";
import { addAudit } from "./audit.ts";
import { addBackup } from "./backup.ts";
import { addBroker } from "./broker.ts";
import { addDevice } from "./device.ts";
import { addDrift } from "./drift.ts";
import { addExperiment } from "./experiment.ts";
import { Finding } from "./finding.ts";
import { addGate } from "./gate.ts";
import type { Io } from "./io.ts";
import { addKeys } from "./keys.ts";
import { addLabel } from "./label.ts";
import { addMetric } from "./metric.ts";
import { addModel } from "./model.ts";
import { addOperator } from "./operator.ts";
import { addPerformance } from "./performance.ts";
import { addPrediction } from "./prediction.ts";
import { addProduction } from "./production.ts";
import { addRelease } from "./release.ts";
import { addRollout } from "./rollout.ts";
import { addSigner } from "./signer.ts";
import { addSink } from "./sink.ts";
import { addToken } from "./token.ts";
import { addUp } from "./up.ts";
import { addWatch } from "./watch.ts";

const { version }: { version: string } = createRequire(import.meta.url)("../../package.json");

const overview = `
From a model file to a watched fleet:
  $ vedette up                                        # the control plane; stays in the foreground
  $ vedette keys init                                 # once: the keys that devices trust, kept offline
  $ vedette model publish --name pump --model pump.onnx --reference data.csv --label failed
  $ vedette model assign --name pump --all
  $ vedette device enroll > token
  $ vedette agent run --home ./device --enroll-file token --name pump-1
  $ vedette rollout start --model pump --all          # the next version, in stages that judge themselves
  $ vedette production                                # what runs where, and how it does
  $ vedette label add --file truth.csv --id-column id # the truth, when it is known
  $ vedette performance --model pump                  # how right it was, by version

Each command has examples of its own: vedette model publish --help`;
const exitCodeHelp =
  "\nExit codes: 0 ok, 1 yours to mend (options, files, permissions), 2 ours (disk, network, a fault), 3 found what --fail, --fail-on or --once asks about.";

/** Runs one command and resolves with the exit code; never rejects. @param args without the program's name. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  try {
    // No option of the program's: `model assign --version` is another.
    if (args[0] === "--version") {
      io.stdout(`${version}\n`);
      return exitCodes.ok;
    }
    if (args[0] === "agent" && isAgents(args[1])) return await runAgent(args.slice(1), io);
    if (args[0] === "predict") return await runAgent(args, io);
    await build(args, io).parseAsync(args, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    // Its answer is printed already.
    if (error instanceof Finding) return error.exitCode;
    return fail(error, args.includes("--json"), io);
  }
}

function build(args: readonly string[], io: Io): Command {
  const program = new Command("vedette")
    .description("Takes a model from pilot to production on devices and in browsers, and keeps watch over it there.")
    .option(
      "--home <folder>",
      "the operator's keys and token, and the data of `up` (default: VEDETTE_HOME, else .vedette)",
    )
    .option("--url <url>", "the control plane (default: VEDETTE_URL, else http://127.0.0.1:7700)")
    .option("--token-file <file>", "the operator's token (default: VEDETTE_TOKEN, else <home>/operator.token)")
    .option("--passphrase-file <file>", "seals and opens keys and backups (default: VEDETTE_PASSPHRASE)")
    .option("--json", "answers and errors as JSON")
    .addHelpText("after", overview)
    .addHelpText("afterAll", exitCodeHelp);
  // Settings are inherited by the commands added after them.
  program
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.stdout, writeErr: () => undefined });
  addUp(program, io);
  addKeys(program, io);
  addModel(program, io);
  addGate(program, io);
  addRollout(program, io);
  addExperiment(program, io);
  addRelease(program, io);
  addSigner(program, io);
  addBroker(program, io);
  addDevice(program, io);
  addAgent(program);
  addPredict(program);
  addProduction(program, io);
  addDrift(program, io);
  addPrediction(program, io);
  addLabel(program, io);
  addPerformance(program, io);
  addMetric(program, io);
  addToken(program, io);
  addOperator(program, io);
  addAudit(program, io);
  addSink(program, io);
  addAlert(program, io);
  addWatch(program, io);
  addBackup(program, io);
  if (args.length === 0) throw new VedetteError("invalid_argument", "say what to do: see vedette --help");
  return program;
}

function fail(error: unknown, json: boolean, io: Io): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok;
    // A noun alone: commander answers with its help, which was not written to stderr.
    const message = error.message.replace(/^error: /, "");
    return tell(
      "invalid_argument",
      message === "(outputHelp)" ? "say what to do: see --help" : message,
      json,
      io,
      exitCodes.userFault,
    );
  }
  return tell(codeOf(error), messageOf(error), json, io, exitCodeOf(error));
}

function tell(code: string, message: string, json: boolean, io: Io, exit: number): number {
  io.stderr(json ? `${jsonLine({ error: { code, message } })}\n` : printable(`vedette: ${message.trimEnd()}\n`));
  return exit;
}
