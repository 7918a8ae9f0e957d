/** The command line: nouns and verbs, one way to fail. Exit codes: 0 ok, 1 the caller's to mend, 2 ours. */
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { Command, CommanderError } from "commander";
import { addAgent, runAgent } from "./agent.ts";
import { addDevice } from "./device.ts";
import type { Io } from "./io.ts";
import { addKeys } from "./keys.ts";
import { addModel } from "./model.ts";
import { addPrediction } from "./prediction.ts";
import { addProduction } from "./production.ts";
import { addUp } from "./up.ts";

/** Runs one command and resolves with the exit code; never rejects. @param args without the program's name. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  try {
    if (args[0] === "agent" && args[1] === "run") return await runAgent(args.slice(2), io);
    await build(args, io).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    return fail(error, args.includes("--json"), io);
  }
}

function build(args: readonly string[], io: Io): Command {
  const program = new Command("vedette")
    .description("Takes a model from pilot to production on devices and in browsers, and keeps watch over it there.")
    .option("--home <folder>", "keys and operator token (default: VEDETTE_HOME, else .vedette)")
    .option("--url <url>", "the control plane (default: VEDETTE_URL, else http://127.0.0.1:7700)")
    .option("--token-file <file>", "the operator's token (default: VEDETTE_TOKEN, else <home>/operator.token)")
    .option("--json", "answers and errors as JSON")
    .addHelpText("after", "\nExample:\n  $ vedette up &\n  $ vedette keys init\n  $ vedette model list");
  // Settings are inherited by the commands added after them.
  program
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.stdout, writeErr: () => undefined });
  addUp(program, io);
  addKeys(program, io);
  addModel(program, io);
  addDevice(program, io);
  addAgent(program, io);
  addProduction(program, io);
  addPrediction(program, io);
  if (args.length === 0) throw new VedetteError("invalid_argument", program.helpInformation());
  return program;
}

function fail(error: unknown, json: boolean, io: Io): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // A noun alone: commander answers with its help, which was not written to stderr.
    const message = error.message.replace(/^error: /, "");
    return tell("invalid_argument", message === "(outputHelp)" ? "say what to do: see --help" : message, json, io, 1);
  }
  const user = error instanceof VedetteError && error.user;
  return tell(codeOf(error), messageOf(error), json, io, user ? 1 : 2);
}

function tell(code: string, message: string, json: boolean, io: Io, exit: number): number {
  io.stderr(json ? `${JSON.stringify({ error: { code, message } })}\n` : `vedette: ${message.trimEnd()}\n`);
  return exit;
}
