/**
 * One request and its answer: who asks → what → its body → the agent → the reply. server.ts hands over what comes in. By
 * callbacks where it counts: each promise between request and answer costs as much as the log.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Agent, Prediction } from "../../core/agent.ts";
import type { Clock, Logger } from "../../core/ports.ts";
import type { Authenticator, Client } from "../gateway/authenticate.ts";
import type { Cors } from "../gateway/cors.ts";
import type { Span, Tracing } from "../telemetry/tracing.ts";
import { failureOf, HttpRefusal } from "./errors.ts";
import { answerInfer, type Desk, type Desks, type InferCall, type RowLimits, readInfer } from "./infer.ts";
import { failureReasonOf } from "./infer-stats.ts";
import type { BodyReader } from "./read-body.ts";
import { answer, needMethod, type OipAnswer, type Route, type RouteParts, routeOf } from "./routes.ts";
import { send } from "./send.ts";

export interface ExchangeParts extends RouteParts {
  readonly agent: Agent;
  readonly desks: Desks;
  readonly authenticator: Authenticator;
  readonly cors: Cors;
  readonly readBody: BodyReader;
  readonly rowLimits: RowLimits;
  /** Whether /metrics is told to those who show no key. */
  readonly openMetrics: boolean;
  readonly tracing: Tracing;
  readonly log: Logger;
  /** Of requests, how many have a log line: 0 to 1. Failures of ours always do. */
  readonly logShare: number;
  readonly clock: Pick<Clock, "now" | "monotonic">;
}

/** What is known of a request so far. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly path: string;
  /** Monotonic ms. */
  readonly started: number;
  readonly span: Span | null;
  client: Client | null;
  /** Counted in the client's allowance, and in the model's load. */
  admitted: boolean;
  desk: Desk | null;
  loaded: boolean;
}

const routesKept = 1024;
/** For the log, since nobody is there to be told; what proxies write for it. */
const wentAway = {
  kind: "failure",
  status: 499,
  body: { error: "the client went away before its request was whole" },
} as const;
/** What bodies are called; curl -d and fetch say the last two where nobody says otherwise. */
const bodyTypes = /^(application\/(json|octet-stream|x-www-form-urlencoded|[\w.-]+\+json)|text\/plain)\s*(;|$)/i;
const acceptable = /(application\/(json|octet-stream|\*)|\*\/\*)/i;

/** Takes every request of a server. Never throws. */
export function createExchange(parts: ExchangeParts): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const { agent, desks, authenticator, cors, clock, log, tracing } = parts;
  const routes = new Map<string, Route>();
  let unlogged = 0;

  const findRoute = (path: string): Route => {
    const known = routes.get(path);
    if (known) return known;
    const route = routeOf(path);
    if (routes.size >= routesKept) routes.clear();
    routes.set(path, route);
    return route;
  };

  const begin = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const url = incoming.url ?? "/";
    const query = url.indexOf("?");
    const path = query < 0 ? url : url.slice(0, query);
    const span = tracing.begin(incoming.headers.traceparent, incoming.headers.tracestate);
    const exchange: Exchange = {
      incoming,
      outgoing,
      path,
      started: clock.monotonic(),
      span,
      client: null,
      admitted: false,
      desk: null,
      loaded: false,
    };
    try {
      const { origin } = incoming.headers;
      if (origin !== undefined && cors.apply(incoming, outgoing, authenticator.open)) return;
      const route = findRoute(path);
      const free = route.kind === "health" || (route.kind === "metrics" && parts.openMetrics);
      if (!free) {
        const client = authenticator.identify(incoming.headers);
        if (client instanceof Promise) {
          client.then(
            (known) => admit(exchange, route, known),
            (error: unknown) => fail(exchange, error),
          );
          return;
        }
        admit(exchange, route, client);
      } else ask(exchange, route);
    } catch (error) {
      fail(exchange, error);
    }
  };

  const admit = (exchange: Exchange, route: Route, client: Client): void => {
    try {
      exchange.client = client;
      if (parts.stopping()) throw new VedetteError("not_ready", "the agent is stopping: ask again in a moment");
      if (client.models) checkScope(client.models, route, client);
      client.allowance?.take();
      exchange.admitted = true;
      ask(exchange, route);
    } catch (error) {
      fail(exchange, error);
    }
  };

  const ask = (exchange: Exchange, route: Route): void => {
    const { incoming } = exchange;
    needMethod(route, incoming.method ?? "GET", exchange.path);
    if (route.kind === "infer") {
      const { "content-type": type, accept } = incoming.headers;
      if (type !== undefined && type !== "application/json" && !bodyTypes.test(type)) throw wrongType(type);
      if (accept !== undefined && accept !== "*/*" && !acceptable.test(accept)) throw notAcceptable(accept);
      if (incoming.headers["content-length"] === undefined && incoming.headers["transfer-encoding"] === undefined) {
        throw new HttpRefusal(411, "invalid_argument", "an infer request has a body: send its Content-Length");
      }
    }
    parts.readBody(
      incoming,
      (body) => whole(exchange, route, body),
      (error) => fail(exchange, error),
      () => finish(exchange, wentAway.status, wentAway),
    );
  };

  const whole = (exchange: Exchange, route: Route, body: Uint8Array): void => {
    try {
      if (route.kind === "infer") infer(exchange, route.model, route.version, body);
      else reply(exchange, answer(route, parts));
    } catch (error) {
      fail(exchange, error);
    }
  };

  const infer = (exchange: Exchange, model: string, version: string | undefined, body: Uint8Array): void => {
    const desk = desks.find(model, version);
    exchange.desk = desk;
    // Counted from here: a client that never ends its request must not shut out the others.
    desk.load.enter();
    exchange.loaded = true;
    const header = exchange.incoming.headers["inference-header-content-length"];
    const call = readInfer(desk, body, Array.isArray(header) ? header[0] : header, parts.rowLimits);
    agent.predict(call.ask).then(
      (prediction) => predicted(exchange, desk, call, prediction),
      (error: unknown) => fail(exchange, error),
    );
  };

  const predicted = (exchange: Exchange, desk: Desk, call: InferCall, prediction: Prediction): void => {
    try {
      exchange.span?.predicted(prediction);
      reply(exchange, answerInfer(desk, call, prediction));
    } catch (error) {
      fail(exchange, error);
    }
  };

  const fail = (exchange: Exchange, error: unknown): void => {
    const failure = failureOf(error);
    if (failure.status === 500) {
      log.error("http.failed", { path: shownPath(exchange), why: messageOf(error), ...trace(exchange) });
    }
    reply(exchange, { kind: "failure", ...failure });
  };

  const reply = (exchange: Exchange, answered: OipAnswer): void => {
    const { outgoing, span } = exchange;
    const status = statusOf(answered);
    finish(exchange, status, answered);
    try {
      if (span) outgoing.setHeader("traceparent", span.traceparent);
      send(outgoing, answered, parts.stopping());
    } catch (error) {
      log.error("http.not_sent", { path: shownPath(exchange), why: messageOf(error), ...trace(exchange) });
      outgoing.destroy();
    }
  };

  /** Gives back what was taken, and counts. */
  const finish = (exchange: Exchange, status: number, answered: OipAnswer): void => {
    const { desk, client, span, started } = exchange;
    const took = clock.monotonic() - started;
    if (exchange.admitted) client?.allowance?.giveBack();
    if (desk) {
      if (exchange.loaded) desk.load.leave();
      const { stats } = desk;
      if (status < 400) {
        stats.success++;
        stats.successMs += took;
        stats.lastInference = clock.now();
      } else {
        stats.failures[failureReasonOf(status)]++;
        stats.failureMs += took;
      }
    }
    span?.end(exchange.incoming.method ?? "GET", exchange.path, status, desk?.served.name);
    if (parts.logShare > 0) line(exchange, status, took, answered);
  };

  const line = (exchange: Exchange, status: number, took: number, answered: OipAnswer): void => {
    unlogged += parts.logShare;
    if (unlogged < 1) return;
    unlogged -= 1;
    log.info("http.request", {
      method: exchange.incoming.method,
      path: shownPath(exchange),
      status,
      ms: Math.round(took * 1000) / 1000,
      client: exchange.client?.name,
      ...(answered.kind === "failure" && { error: answered.body.error }),
      ...trace(exchange),
    });
  };

  return begin;
}

/** @throws VedetteError forbidden: a key for some models opens nothing but these. */
function checkScope(models: ReadonlySet<string>, route: Route, { name }: Client): void {
  const asked = "model" in route ? route.model : undefined;
  if (asked !== undefined && models.has(asked)) return;
  if (route.kind === "server" || route.kind === "models") return;
  const what = asked === undefined ? "this path" : `model ${asked.slice(0, 100)}`;
  throw new VedetteError("forbidden", `the key ${name} is not for ${what}: it is for ${[...models].join(", ")}`);
}

function wrongType(type: string): HttpRefusal {
  const message = `content-type ${type.slice(0, 60)} is not taken: send application/json, or application/octet-stream`;
  return new HttpRefusal(415, "unsupported", message);
}

function notAcceptable(accept: string): HttpRefusal {
  const message = `answers are application/json or application/octet-stream, not ${accept.slice(0, 60)}`;
  return new HttpRefusal(406, "unsupported", message);
}

function statusOf(answered: OipAnswer): number {
  return answered.kind === "failure" || answered.kind === "json" ? answered.status : 200;
}

/** Without its query, where clients put keys. */
function shownPath({ path }: Exchange): string {
  return path.slice(0, 200);
}

function trace({ span }: Exchange): { trace?: string } {
  return span ? { trace: span.traceId } : {};
}
