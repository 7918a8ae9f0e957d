/**
 * The agent's HTTP: node:http by hand, since this is the hot path. Applications on the device ask here; exchange.ts takes
 * their requests to the Agent. Loopback and a Unix socket need no key; any other address does.
 */
import { rm, stat } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, isIP } from "node:net";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Agent, AgentMeasures } from "../../core/agent.ts";
import type { Logger } from "../../core/ports.ts";
import { type AllowanceLimits, noLimits } from "../gateway/allowance.ts";
import type { ApiKey } from "../gateway/api-keys.ts";
import { createAuthenticator } from "../gateway/authenticate.ts";
import { createCors } from "../gateway/cors.ts";
import { createLoad } from "../gateway/load.ts";
import { type CertificateFiles, readCertificate, watchFiles } from "../gateway/tls.ts";
import type { TokenVerifier } from "../gateway/web-tokens.ts";
import { systemClock } from "../system-clock.ts";
import { agentMetrics } from "../telemetry/agent-metrics.ts";
import { passingOn, type Tracing } from "../telemetry/tracing.ts";
import { createExchange } from "./exchange.ts";
import { createDesks } from "./infer.ts";
import { createBodyReader } from "./read-body.ts";

export interface OipServerOptions {
  readonly agent: Agent;
  readonly log: Logger;
  /** The agent's version, told at /v2. */
  readonly version: string;
  /** 127.0.0.1 where not said. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  /** A Unix socket to listen on instead of a port. */
  readonly socket?: string;
  readonly tls?: CertificateFiles;
  /** One key for everything; asked of every request but the two of health. */
  readonly apiKey?: string;
  readonly keys?: readonly ApiKey[];
  readonly tokens?: TokenVerifier;
  /** Anybody who reaches the port may ask: said where nobody is asked for a key beyond loopback. */
  readonly allowAnonymous?: boolean;
  readonly corsOrigins?: readonly string[];
  /** Of each client. */
  readonly clientLimits?: AllowanceLimits;
  readonly maxBodyBytes?: number;
  readonly maxRows?: number;
  readonly maxValues?: number;
  /** Requests under way at one model, whose bodies are here, before others are shed. */
  readonly maxInFlight?: number;
  /** Expected wait, ms, over which requests are shed. */
  readonly maxWaitMs?: number;
  /** As `createBodyReader`. */
  readonly maxHeldBytes?: number;
  readonly openMetrics?: boolean;
  /** Share of requests with a log line, 0 to 1. */
  readonly logShare?: number;
  readonly tracing?: Tracing;
  /** For metrics and statistics; these hold what HTTP itself counts where not given. */
  readonly measures?: () => AgentMeasures;
}
export interface OipServer {
  readonly url: string;
  /** 0 for a Unix socket. */
  readonly port: number;
  /** The keys from now on. */
  useKeys(keys: readonly ApiKey[]): void;
  /** Takes no more connections, finishes what is under way, then resolves. */
  close(): Promise<void>;
}

/** How those who ask are known, as far as `requireKey` looks. */
interface WaysIn {
  readonly apiKey?: string | undefined;
  readonly keys?: readonly ApiKey[] | undefined;
  readonly tokens?: unknown;
  readonly allowAnonymous?: boolean | undefined;
}

/** @throws VedetteError unauthenticated where anybody on the network could ask. */
export function requireKey(host: string, ways: WaysIn): void {
  if (isLoopback(host) || knowsClients(ways) || ways.allowAnonymous) return;
  throw new VedetteError(
    "unauthenticated",
    `anybody could ask for predictions at ${host}: make a key (vedette-agent key create), set VEDETTE_API_KEY, --api-key-file or --jwt-keys, or serve on 127.0.0.1`,
  );
}

/** A key that was revoked still says that keys are wanted here. */
function knowsClients({ apiKey, keys = [], tokens }: WaysIn): boolean {
  return Boolean(apiKey) || keys.length > 0 || tokens !== undefined;
}

const defaults = { inFlight: 256, waitMs: 5_000, rows: 4096, values: 8 * 1024 * 1024 };
const closeWithinMs = 5_000;
const nothingMeasured: AgentMeasures = { connected: false, bytes: { sent: 0, received: 0 }, models: [] };

/** @throws VedetteError unauthenticated (a reachable host without a key), conflict (port taken), invalid_argument. */
export async function startOipServer(options: OipServerOptions): Promise<OipServer> {
  const { agent, log, socket, tls } = options;
  const host = options.host ?? "127.0.0.1";
  if (socket === undefined) requireKey(host, options);
  const load = { inFlight: options.maxInFlight ?? defaults.inFlight, waitMs: options.maxWaitMs ?? defaults.waitMs };
  const desks = createDesks(agent, () => createLoad(load, systemClock.monotonic));
  const authenticator = createAuthenticator({
    open: options.allowAnonymous === true || !knowsClients(options),
    apiKey: options.apiKey,
    keys: options.keys ?? [],
    tokens: options.tokens,
    limits: options.clientLimits ?? noLimits,
    clock: systemClock,
  });
  const measures = options.measures ?? (() => nothingMeasured);
  const metrics = agentMetrics({ agent, desks, measures });
  let stopping = false;

  const take = createExchange({
    agent,
    desks,
    authenticator,
    cors: createCors(options.corsOrigins ?? []),
    readBody: createBodyReader({
      ...(options.maxBodyBytes !== undefined && { maxBytes: options.maxBodyBytes }),
      ...(options.maxHeldBytes !== undefined && { maxHeldBytes: options.maxHeldBytes }),
    }),
    rowLimits: { rows: options.maxRows ?? defaults.rows, values: options.maxValues ?? defaults.values },
    openMetrics: options.openMetrics ?? false,
    tracing: options.tracing ?? passingOn,
    log,
    logShare: options.logShare ?? 0,
    clock: systemClock,
    version: options.version,
    stopping: () => stopping,
    measures: () => measures().models,
    metrics: () => metrics.text(),
  });

  const { server, release } = await makeServer(tls, take, log);
  try {
    if (socket === undefined) await listen(server, { host, port: options.port });
    else await listenOnSocket(server, socket);
  } catch (error) {
    release();
    metrics.close();
    throw error;
  }
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const scheme = tls ? "https" : "http";

  return {
    port,
    url: socket === undefined ? `${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${port}` : `unix:${socket}`,
    useKeys: (keys) => authenticator.useKeys(keys),
    async close() {
      stopping = true;
      release();
      metrics.close();
      await new Promise<void>((resolve) => {
        // A client that never finishes its request must not keep the spool from being flushed.
        const giveUp = setTimeout(() => server.closeAllConnections(), closeWithinMs);
        server.close(() => {
          clearTimeout(giveUp);
          resolve();
        });
        server.closeIdleConnections();
      });
    },
  };
}

async function makeServer(
  tls: CertificateFiles | undefined,
  take: RequestListener,
  log: Logger,
): Promise<{ server: Server; release: () => void }> {
  // The timeouts below are only looked at this often.
  const common = { connectionsCheckingInterval: 2_000 };
  if (!tls) return { server: withTimeouts(createServer(common, take)), release: () => undefined };
  const server = createTlsServer({ ...common, minVersion: "TLSv1.2", ...(await readCertificate(tls)) }, take);
  const release = watchFiles([tls.certFile, tls.keyFile], async () => {
    try {
      server.setSecureContext({ minVersion: "TLSv1.2", ...(await readCertificate(tls)) });
      log.info("http.certificate_reloaded", { file: tls.certFile });
    } catch (error) {
      log.error("http.certificate_not_reloaded", {
        file: tls.certFile,
        why: messageOf(error),
        next: "the former serves",
      });
    }
  });
  return { server: withTimeouts(server), release };
}

function withTimeouts<S extends Server>(server: S): S {
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 60_000;
  return server;
}

function listen(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === "EADDRINUSE";
      const why = taken ? "another program has it, choose another" : messageOf(cause);
      const shown = "path" in where ? where.path : `${where.host}:${where.port}`;
      reject(new VedetteError(taken ? "conflict" : "invalid_argument", `cannot listen on ${shown}: ${why}`, { cause }));
    });
    server.listen(where, resolve);
  });
}

/** For this user alone. A socket that a dead process left is taken over; one that answers is another program's. */
async function listenOnSocket(server: Server, path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isSocket()) {
    throw new VedetteError("conflict", `${path} is a file and no socket: choose another --socket`);
  }
  if (found && !(await answers(path))) await rm(path, { force: true });
  const mask = process.umask(0o177);
  try {
    await listen(server, { path });
  } finally {
    process.umask(mask);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
