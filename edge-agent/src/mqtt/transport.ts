/**
 * Port Transport on mqtt.js, for Node and for pages, which bring how to connect and how to count bytes. One client a
 * connection, so that each has a fresh password, will and packet ids, and nothing that was queued for a lost connection
 * lives on. core/ keeps what matters on disk and sends it again.
 */
import { utf8 } from "@vedette/protocol/bytes";
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { maxPayloadBytes } from "@vedette/protocol/messages";
import type { IClientOptions, MqttClient } from "mqtt";
import type { Clock, Logger, Random, Transport } from "../core/ports.ts";
import { backoffMs } from "../core/timing.ts";

export interface MqttTransportOptions {
  /** Client id and user name. */
  readonly agent: string;
  readonly presenceTopic: string;
  /**
   * Where to connect, and by what: asked anew for each connection. Without a password, the broker knows the device by its
   * certificate alone. PEM texts; `ca`: who signs the broker's own certificate, where that is no public authority.
   */
  readonly credentials: () => Promise<MqttCredentials>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Wait before another try: `firstMs` doubled to `capMs`, each halved to full at random. */
  readonly backoff?: { readonly firstMs: number; readonly capMs: number };
  /** Longest wait for the answer to one thing that was said, ms. */
  readonly answerWithinMs?: number;
}
export interface MqttCredentials {
  readonly url: string;
  /** The control plane's, Unix ms: session numbers follow it. */
  readonly time: number;
  readonly password?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}
interface Traffic {
  readonly sent: number;
  readonly received: number;
}
export interface MqttPlatform {
  connect(url: string, options: IClientOptions): MqttClient;
  /** Begins to count; the answer tells what a client has sent and received so far. */
  meter(client: MqttClient): () => Traffic;
}

type Handlers = Parameters<Transport["start"]>[0];
/** One connection and all that waits for an answer on it. */
interface Connection {
  readonly client: MqttClient;
  readonly traffic: () => Traffic;
  readonly waiting: Set<(error: VedetteError) => void>;
  upSince: number | undefined;
}

const keepaliveSeconds = 60;
const connectTimeoutMs = 20_000;
/** A connection that held this long ends the back-off: one that is closed at once must not be hammered. */
const steadyMs = 30_000;
/** So many connections in a row that came up and did not hold are no accident. */
const suspicious = 3;
/** A rival waits as long as this agent did, give or take: only what holds longer is no pause between two of its tries. */
const rivalPatience = 4;
const closeWaitMs = 2_000;
/** A broker that answers pings and nothing else is left, so that nobody waits for ever; long enough for the slowest line. */
const answerWithinMs = 120_000;
const subscriptionRefused = 128;

/** @returns a transport that does nothing until `start`. */
export function createMqttTransport(options: MqttTransportOptions, platform: MqttPlatform): Transport {
  const { clock, log } = options;
  const backoff = options.backoff ?? { firstMs: 1_000, capMs: 300_000 };
  const bytes = { sent: 0, received: 0 };
  let handlers: Handlers | undefined;
  let current: Connection | undefined;
  let failures = 0;
  let lastWait = 0;
  /** Connections in a row that came up and did not hold. */
  let unsteady = 0;
  let sid = 0;
  let closed = false;
  let cancelRetry: (() => void) | undefined;

  const attempt = async () => {
    cancelRetry = undefined;
    try {
      const { url, password, time, ...tls } = await options.credentials();
      const session = await handlers?.session(time);
      if (!closed && session)
        open(url, { ...(password !== undefined && { username: options.agent, password }), ...tls }, session);
    } catch (error) {
      log.warn("mqtt.no_password", { code: codeOf(error), why: messageOf(error) });
      retry();
    }
  };

  const open = (url: string, login: IClientOptions, session: { sid: number; will: string }) => {
    sid = session.sid;
    const client = platform.connect(url, {
      protocolVersion: 4,
      clientId: options.agent,
      clean: true,
      keepalive: keepaliveSeconds,
      connectTimeout: connectTimeoutMs,
      reconnectPeriod: 0, // reconnecting is `retry`'s, with jitter and a fresh password
      resubscribe: false,
      queueQoSZero: false,
      will: { topic: options.presenceTopic, payload: asPayload(utf8(session.will)), qos: 1, retain: false },
      ...login,
    });
    const opened: Connection = { client, traffic: platform.meter(client), waiting: new Set(), upSince: undefined };
    current = opened;
    client.on("connect", () => {
      if (current !== opened) return;
      opened.upSince = clock.monotonic();
      log.info("mqtt.up", { url, sid });
      handlers?.up();
    });
    client.on("message", (topic, payload) => {
      if (current === opened) handlers?.message(topic, new Uint8Array(payload));
    });
    client.on("error", (error) => lose(opened, messageOf(error)));
    client.on("close", () => lose(opened, "the connection was closed"));
  };

  const lose = (which: Connection, why: string) => {
    if (current !== which) return;
    current = undefined;
    const { sent, received } = which.traffic();
    bytes.sent += sent;
    bytes.received += received;
    which.client.end(true);
    for (const reject of [...which.waiting]) reject(offline(why));
    which.waiting.clear();
    if (which.upSince !== undefined) {
      judge(clock.monotonic() - which.upSince);
      handlers?.down();
    }
    if (closed) return;
    log.warn("mqtt.down", { why });
    retry();
  };

  /** A broker has one connection a name: two agents of one name close each other's in turn, and each must give way more. */
  const judge = (heldMs: number) => {
    const rivalled = unsteady >= suspicious;
    if (heldMs >= (rivalled ? Math.max(steadyMs, rivalPatience * lastWait) : steadyMs)) {
      [failures, unsteady] = [0, 0];
      return;
    }
    unsteady++;
    if (closed || unsteady < suspicious) return;
    const why = `${unsteady} connections in a row were closed soon after they were made`;
    const likely = "likely another process uses this identity (was its folder copied?), else the network is bad";
    const advice = `${likely}: stop the copy, and enrol it under a name of its own`;
    log.warn("session.taken_over", { agent: options.agent, why, advice });
  };

  const retry = () => {
    if (closed) return;
    lastWait = backoffMs(failures++, { ...backoff, random: options.random });
    cancelRetry = clock.after(lastWait, () => void attempt());
  };

  /** Does one thing on the present connection; rejects when that is lost before it is answered. */
  const ask = (what: string, call: (on: MqttClient, done: (error?: unknown) => void) => void): Promise<void> => {
    const on = current;
    if (on?.upSince === undefined) return Promise.reject(offline(`no connection to ${what} on`));
    return new Promise((resolve, reject) => {
      const patience = options.answerWithinMs ?? answerWithinMs;
      const cancel = clock.after(patience, () =>
        lose(on, `the broker did not answer to ${what} in ${patience / 1000} s`),
      );
      const fail = (error: VedetteError) => {
        cancel();
        reject(error);
      };
      on.waiting.add(fail);
      call(on.client, (error) => {
        if (!on.waiting.delete(fail)) return;
        cancel();
        if (error === undefined || error === null) resolve();
        else reject(error instanceof VedetteError ? error : offline(`${what}: ${messageOf(error)}`, error));
      });
    });
  };

  return {
    start(given) {
      handlers = given;
      void attempt();
    },
    get connected() {
      return current?.upSince !== undefined;
    },
    get sid() {
      return sid;
    },
    get bytes() {
      const now = current?.traffic() ?? { sent: 0, received: 0 };
      return { sent: bytes.sent + now.sent, received: bytes.received + now.received };
    },
    publish(topic, payload, { qos }) {
      const body = typeof payload === "string" ? utf8(payload) : payload;
      if (body.length > maxPayloadBytes) {
        const size = `${body.length} bytes for ${topic}, over the ${maxPayloadBytes} that every broker carries`;
        return Promise.reject(new VedetteError("too_large", `${size}: send it in parts`));
      }
      return ask(
        `publish ${topic}`,
        (on, done) => void on.publish(topic, asPayload(body), { qos, retain: false }, (error) => done(error)),
      );
    },
    subscribe(topic, qos) {
      return ask(`subscribe ${topic}`, (on, done) => {
        on.subscribe(topic, { qos }, (error, granted) => {
          // A SUBACK with a refusal comes as an error that carries it, or among what was granted.
          const refused =
            (error && "packet" in error) || granted?.some((one) => Number(one.qos) >= subscriptionRefused);
          done(refused ? new VedetteError("forbidden", `the broker refuses a subscription to ${topic}`) : error);
        });
      });
    },
    unsubscribe: (topic) =>
      ask(`unsubscribe ${topic}`, (on, done) => void on.unsubscribe(topic, (error) => done(error))),
    async close() {
      closed = true;
      cancelRetry?.();
      const last = current;
      if (!last) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(closeWaitMs, () => {
          last.client.end(true);
          resolve();
        });
        last.client.end(false, () => {
          cancel();
          resolve();
        });
      });
      lose(last, "closed by this agent");
    },
  };
}

/** mqtt.js asks for its platform's Buffer and writes any bytes. */
function asPayload(bytes: Uint8Array): Buffer {
  return bytes as Buffer;
}

function offline(why: string, cause?: unknown): VedetteError {
  return new VedetteError("offline", `not connected to the broker: ${why}`, { cause });
}
