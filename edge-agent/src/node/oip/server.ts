/**
 * The agent's HTTP: node:http by hand, since this is the hot path. Applications on the device ask here; the routes call
 * the Agent. Loopback needs no key; any other address does, and pages of other origins are refused.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Agent } from "../../core/agent.ts";
import type { Logger } from "../../core/ports.ts";
import { failureOf } from "./errors.ts";
import { createBodyReader } from "./read-body.ts";
import { answer, type OipAnswer, type ServerFacts } from "./routes.ts";

export interface OipServerOptions {
  readonly agent: Agent;
  readonly log: Logger;
  /** The agent's version, told at /v2. */
  readonly version: string;
  /** 127.0.0.1 where not said. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  /** Needed for any host but loopback; then asked of every request but the two of health. */
  readonly apiKey?: string;
  /** Requests under way, whose bodies are here, before others are shed. */
  readonly maxInFlight?: number;
  /** As `createBodyReader`. */
  readonly maxHeldBytes?: number;
}
export interface OipServer {
  readonly url: string;
  readonly port: number;
  /** Takes no more connections, finishes what is under way, then resolves. */
  close(): Promise<void>;
}

/** @throws VedetteError unauthenticated where anybody on the network could ask. */
export function requireKey(host: string, apiKey: string | undefined): void {
  if (isLoopback(host) || apiKey) return;
  throw new VedetteError(
    "unauthenticated",
    `anybody could ask for predictions at ${host}: set VEDETTE_API_KEY or --api-key-file, or serve on 127.0.0.1`,
  );
}

const defaultMaxInFlight = 256;
const closeWithinMs = 5_000;

/** @throws VedetteError unauthenticated (a reachable host without a key), conflict (port taken), invalid_argument. */
export async function startOipServer(options: OipServerOptions): Promise<OipServer> {
  const host = options.host ?? "127.0.0.1";
  requireKey(host, options.apiKey);
  const checkKey = options.apiKey === undefined ? undefined : keyCheck(options.apiKey);
  const maxInFlight = options.maxInFlight ?? defaultMaxInFlight;
  const readBody = createBodyReader(options.maxHeldBytes);
  let stopping = false;
  let inFlight = 0;
  const facts: ServerFacts = { version: options.version, stopping: () => stopping };

  const handle = async (incoming: IncomingMessage): Promise<OipAnswer> => {
    const path = (incoming.url ?? "/").split("?", 1)[0] ?? "/";
    const health = path === "/v2/health/live" || path === "/v2/health/ready";
    if (!health) {
      checkKey?.(incoming);
      refuseForeignPages(incoming, options.apiKey !== undefined);
      if (stopping) throw new VedetteError("not_ready", "the agent is stopping: ask again in a moment");
    }
    const body = await readBody(incoming);
    const header = incoming.headers["inference-header-content-length"];
    const headerLength = Array.isArray(header) ? header[0] : header;
    // Counted from here: a client that never ends its request must not shut out the others.
    inFlight++;
    try {
      if (inFlight > maxInFlight && !health) {
        throw new VedetteError("busy", `over ${maxInFlight} requests are under way: ask later`);
      }
      return await answer(options.agent, facts, { method: incoming.method ?? "GET", path, headerLength, body });
    } finally {
      inFlight--;
    }
  };

  /** One chain and no more: each promise between request and answer costs as much as the log. Never throws. */
  const respond = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    try {
      send(outgoing, await handle(incoming).catch((error: unknown) => failed(incoming, error)), stopping);
    } catch (error) {
      options.log.error("http.not_sent", { why: messageOf(error) });
      outgoing.destroy();
    }
  };
  const failed = (incoming: IncomingMessage, error: unknown): OipAnswer => {
    const failure = failureOf(error);
    if (failure.status === 500) options.log.error("http.failed", { path: incoming.url, why: messageOf(error) });
    return { kind: "failure", ...failure };
  };

  // The timeouts below are only looked at this often.
  const server = createServer(
    { connectionsCheckingInterval: 2_000 },
    (incoming, outgoing) => void respond(incoming, outgoing),
  );
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 60_000;
  await listen(server, host, options.port);
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : options.port;

  return {
    port,
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    close() {
      stopping = true;
      return new Promise((resolve) => {
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

function listen(server: ReturnType<typeof createServer>, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === "EADDRINUSE";
      const why = taken ? "another program has it, choose another --port" : messageOf(cause);
      reject(
        new VedetteError(taken ? "conflict" : "invalid_argument", `cannot listen on ${host}:${port}: ${why}`, {
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Compares hashes, so that neither length nor time tells anything of the key. */
function keyCheck(apiKey: string): (incoming: IncomingMessage) => void {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  const wanted = hash(apiKey);
  return ({ headers }) => {
    const single = headers["x-api-key"];
    const given = headers.authorization?.match(/^Bearer +(.+)$/i)?.[1] ?? (Array.isArray(single) ? single[0] : single);
    if (given !== undefined && timingSafeEqual(hash(given), wanted)) return;
    const what = given === undefined ? "an API key is needed" : "this is not the API key";
    throw new VedetteError("unauthenticated", `${what}: send Authorization: Bearer <key> or X-Api-Key`);
  };
}

/** Without a key, a page open in the device's browser must not be able to ask (and so fill the prediction log). */
function refuseForeignPages({ headers }: IncomingMessage, hasKey: boolean): void {
  if (hasKey || headers.origin === undefined) return;
  throw new VedetteError("forbidden", "pages do not ask here without an API key: use the agent for browsers, or a key");
}

function send(outgoing: ServerResponse, answered: OipAnswer, stopping: boolean): void {
  // What was refused before its body was read leaves bytes that nobody will take: the connection ends with the answer.
  const unread = !outgoing.req.complete;
  if (unread || stopping) outgoing.setHeader("connection", "close");
  if (answered.kind === "infer" && answered.body.kind === "text") {
    const { text } = answered.body;
    outgoing.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    outgoing.end(text);
  } else if (answered.kind === "infer" && answered.body.kind === "binary") {
    const { bytes, headerLength } = answered.body;
    outgoing.writeHead(200, {
      "content-type": "application/octet-stream",
      "content-length": bytes.length,
      "inference-header-content-length": headerLength,
    });
    outgoing.end(bytes);
  } else if (answered.kind !== "infer") {
    const text = JSON.stringify(answered.body);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    outgoing.writeHead(answered.status, answered.kind === "failure" ? { ...headers, ...answered.headers } : headers);
    outgoing.end(text);
  }
  if (unread) outgoing.req.resume();
}
