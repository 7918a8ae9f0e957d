/** The agent as a program: the agent of a folder, the HTTP server before it, and an orderly end on a signal. */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { closeAll } from "../core/close-all.ts";
import type { Logger } from "../core/ports.ts";
import { agentVersion, type NodeAgentOptions, openNodeAgent } from "./node-agent.ts";
import { requireKey, startOipServer } from "./oip/server.ts";

export interface RunOptions extends NodeAgentOptions {
  readonly log: Logger;
  /** 0: any free one. */
  readonly port: number;
  readonly serveHost?: string;
  readonly apiKey?: string;
}
export interface RunningAgent {
  readonly url: string;
  /** Takes no more requests, answers those under way, flushes the spool, says goodbye. */
  stop(): Promise<void>;
}

/** Ready when HTTP is up: also offline, and also with no model yet. @throws VedetteError what either part throws. */
export async function runAgent(options: RunOptions): Promise<RunningAgent> {
  await refuseControlPlaneHome(options.home);
  requireKey(options.serveHost ?? "127.0.0.1", options.apiKey);
  const { agent, close } = await openNodeAgent(options);
  try {
    const server = await startOipServer({
      agent,
      log: options.log,
      version: agentVersion,
      port: options.port,
      ...(options.serveHost !== undefined && { host: options.serveHost }),
      ...(options.apiKey !== undefined && { apiKey: options.apiKey }),
    });
    options.log.info("agent.ready", { agent: agent.id, url: server.url });
    return {
      url: server.url,
      async stop() {
        await closeAll("the agent's program", [() => server.close(), close]);
        options.log.info("agent.stopped", { agent: agent.id });
      },
    };
  } catch (error) {
    await close().catch((late: unknown) => options.log.error("agent.close_failed", { why: messageOf(late) }));
    throw error;
  }
}

/** Both commands have a --home, and an agent in the operator's would lie beside the keys. */
export async function refuseControlPlaneHome(home: string): Promise<void> {
  try {
    await access(join(home, "operator.token"));
  } catch {
    return; // absent, as it should be
  }
  throw new VedetteError("invalid_argument", `${home} is a control plane's home: give the agent a --home of its own`);
}

/** The key that HTTP clients must show: from a file, else from the environment. @throws VedetteError invalid_argument. */
export async function readApiKey(
  file: string | undefined,
  fromEnvironment: string | undefined,
): Promise<string | undefined> {
  if (file === undefined) return fromEnvironment || undefined;
  try {
    const key = (await readFile(file, "utf8")).trim();
    if (key !== "") return key;
  } catch (cause) {
    throw new VedetteError("invalid_argument", `--api-key-file ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  throw new VedetteError("invalid_argument", `--api-key-file ${file} is empty: put the key on its first line`);
}
