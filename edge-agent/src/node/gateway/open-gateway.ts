/** From the gateway's settings to the server's options: files are read, keys looked after. run-agent.ts calls it. */
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Logger } from "../../core/ports.ts";
import { type OipServerOptions, requireKey } from "../oip/server.ts";
import { apiKeyFile, readApiKeys } from "./api-keys.ts";
import type { GatewayConfig } from "./config.ts";
import { watchFiles } from "./tls.ts";
import { createTokenVerifier } from "./web-tokens.ts";

/**
 * What of a server's options follows from settings.
 * @param apiKey from the environment; the file's goes before it.
 * @throws VedetteError invalid_argument for files that cannot be read, unauthenticated where anybody could ask.
 */
export async function gatewayOptions(config: GatewayConfig, home: string, apiKey: string | undefined) {
  const key = config.apiKeyFile === null ? apiKey : await readApiKey(config.apiKeyFile);
  const keys = await readApiKeys(home);
  const tokens = config.jwt && (await createTokenVerifier(config.jwt));
  const { limits, client } = config;
  const options = {
    host: config.host,
    port: config.port,
    keys,
    allowAnonymous: config.allowAnonymous,
    corsOrigins: config.corsOrigins,
    clientLimits: client,
    maxBodyBytes: limits.bodyBytes,
    maxRows: limits.rows,
    maxValues: limits.values,
    maxInFlight: limits.inFlight,
    maxWaitMs: limits.waitMs,
    openMetrics: config.openMetrics,
    logShare: config.logShare,
    ...(config.socket !== null && { socket: config.socket }),
    ...(config.tls && { tls: config.tls }),
    ...(key !== undefined && { apiKey: key }),
    ...(tokens && { tokens }),
  } satisfies Partial<OipServerOptions>;
  if (config.socket === null) requireKey(config.host, options);
  return options;
}

/** Keys made or revoked while the agent runs count from the next second on. @returns what ends it. */
export function followKeys(
  home: string,
  use: (keys: Awaited<ReturnType<typeof readApiKeys>>) => void,
  log: Logger,
): () => void {
  return watchFiles([apiKeyFile(home)], async () => {
    try {
      use(await readApiKeys(home));
      log.info("http.keys_reloaded");
    } catch (error) {
      log.error("http.keys_not_reloaded", { why: messageOf(error), next: "the former keys count" });
    }
  });
}

/** The key that HTTP clients must show. @throws VedetteError invalid_argument. */
async function readApiKey(file: string): Promise<string> {
  try {
    const key = (await readFile(file, "utf8")).trim();
    if (key !== "") return key;
  } catch (cause) {
    throw new VedetteError("invalid_argument", `--api-key-file ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  throw new VedetteError("invalid_argument", `--api-key-file ${file} is empty: put the key on its first line`);
}
