/** The agent as a program: the agent of a folder, the HTTP server before it, and an orderly end on a signal. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { closeAll } from "../core/close-all.ts";
import type { Logger } from "../core/ports.ts";
import { defaultGateway, type GatewayConfig } from "./gateway/config.ts";
import { followKeys, gatewayOptions } from "./gateway/open-gateway.ts";
import { agentVersion, type NodeAgentOptions, openNodeAgent } from "./node-agent.ts";
import { startOipServer } from "./oip/server.ts";
import { openTracing } from "./telemetry/open-tracing.ts";

export interface RunOptions extends NodeAgentOptions {
  readonly log: Logger;
  /** Its defaults where not said: loopback, no key. */
  readonly gateway?: GatewayConfig;
  /** Instead of the settings' port. 0: any free one. */
  readonly port?: number;
  /** One key for everything, from the environment. */
  readonly apiKey?: string | undefined;
}
export interface RunningAgent {
  readonly url: string;
  /** Takes no more requests, answers those under way, flushes the spool, says goodbye. */
  stop(): Promise<void>;
}

/** Ready when HTTP is up: also offline, and also with no model yet. @throws VedetteError what either part throws. */
export async function runAgent(options: RunOptions): Promise<RunningAgent> {
  await refuseControlPlaneHome(options.home);
  const { home, log, gateway = defaultGateway } = options;
  const http = await gatewayOptions(gateway, home, options.apiKey);
  const { agent, close } = await openNodeAgent({ ...options, responseCache: cachesOf(gateway) });
  try {
    const tracing = await openTracing(agent.id, agentVersion, log);
    const server = await startOipServer({
      ...http,
      ...(options.port !== undefined && { port: options.port }),
      agent,
      log,
      version: agentVersion,
      tracing,
      measures: () => agent.measures(),
    });
    const unfollow = followKeys(home, (keys) => server.useKeys(keys), log);
    log.info("agent.ready", { agent: agent.id, url: server.url });
    return {
      url: server.url,
      async stop() {
        unfollow();
        await closeAll("the agent's program", [() => server.close(), () => tracing.close(), close]);
        log.info("agent.stopped", { agent: agent.id });
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

function cachesOf({ cache }: GatewayConfig) {
  return Object.fromEntries(
    Object.entries(cache).map(([model, { ttlSeconds, maxBytes }]) => [model, { ttlMs: 1000 * ttlSeconds, maxBytes }]),
  );
}
