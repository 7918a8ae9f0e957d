/**
 * `vedette agent run …`: starts the edge agent's own command. It is resolved and run, never imported: the two ends meet
 * in protocol/ only.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { VedetteError } from "@vedette/protocol/errors";
import type { Command } from "commander";
import { z } from "zod";
import type { Io } from "./io.ts";

/** By what name the agent's command shall speak of itself. */
const invokedAs = "VEDETTE_INVOKED_AS";
const agentPackage = "@vedette/edge-agent/package.json";

/** Listed for --help; `runCli` hands `agent run` over before options are read, since all of them are the agent's. */
export function addAgent(program: Command): void {
  // Reached only where options came first, and those would be lost.
  const misplaced = () => {
    throw new VedetteError(
      "invalid_argument",
      "options of an agent come after `agent run` or `agent key`: its --home is a folder of its own, and not the operator's",
    );
  };
  const agent = program.command("agent").description("an edge agent on this machine");
  agent
    .command("run")
    .description("run one in the foreground; its --home is the agent's own folder (see vedette agent run --help)")
    .addHelpText("after", "\nExample:\n  $ vedette agent run --home ./station --enroll-file token --name station-1")
    .action(misplaced);
  agent
    .command("key")
    .description("API keys of an agent's HTTP server (see vedette agent key --help)")
    .addHelpText("after", "\nExample:\n  $ vedette agent key create --home ./station --name dashboard")
    .action(misplaced);
}

/** Listed for --help; `runCli` hands it over as it does `agent run`. */
export function addPredict(program: Command): void {
  program
    .command("predict")
    .description("predict for every row of a file with an agent's home on this machine (see vedette predict --help)")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette predict --home ./station --model rain-gauge --in days.parquet --out sky.parquet",
    )
    .action(() => {
      throw new VedetteError("invalid_argument", "options of `predict` come after it: its --home is an agent's folder");
    });
}

/** Whether `vedette agent <verb>` is the agent's own to read. */
export function isAgents(verb: string | undefined): boolean {
  return verb === "run" || verb === "key";
}

/** Runs a verb of the agent's own command. Resolves with its exit code. @param args the verb and what follows. */
export async function runAgent(args: readonly string[], io: Io): Promise<number> {
  const { bin } = z.object({ bin: z.object({ "vedette-agent": z.string() }) }).parse(await readAgentPackage());
  return io.run(agentFile(bin["vedette-agent"]), args, "answer", {
    [invokedAs]: args[0] === "predict" ? "vedette" : "vedette agent",
  });
}

/** A file of the edge agent's package, by its path there. @throws VedetteError not_found where it is not installed. */
export function agentFile(path: string): string {
  try {
    return fileURLToPath(new URL(path, import.meta.resolve(agentPackage)));
  } catch (cause) {
    throw new VedetteError("not_found", "@vedette/edge-agent is not installed beside the control plane: run npm ci", {
      cause,
    });
  }
}

async function readAgentPackage(): Promise<unknown> {
  return JSON.parse(await readFile(agentFile("./package.json"), "utf8"));
}
