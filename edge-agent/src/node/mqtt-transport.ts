/**
 * Port Transport on mqtt.js: one client a connection, so that each has a fresh password, will and packet ids, and nothing
 * that was queued for a lost connection lives on. core/ keeps what matters on disk and sends it again.
 */

import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { maxPayloadBytes } from "@vedette/protocol/messages";
import { connect, type MqttClient } from "mqtt";
import type { Clock, Logger, Random, Transport } from "../core/ports.ts";

export interface MqttTransportOptions {
  /** Client id and user name. */
  readonly agent: string;
  readonly presenceTopic: string;
  /** Where to connect (mqtt:// or mqtts://) and the password: asked anew for each connection. */
  readonly credentials: () => Promise<{ url: string; password: string }>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Wait before another try: `firstMs` doubled to `capMs`, each halved to full at random. */
  readonly backoff?: { readonly firstMs: number; readonly capMs: number };
}

type Handlers = Parameters<Transport["start"]>[0];
const keepaliveSeconds = 60;
const connectTimeoutMs = 20_000;
/** A connection that held this long ends the back-off: one that is closed at once must not be hammered. */
const steadyMs = 30_000;
const closeWaitMs = 2_000;
const subscriptionRefused = 128;

/** @returns a transport that does nothing until `start`. */
export function createMqttTransport(options: MqttTransportOptions): Transport {
  const { clock, log } = options;
  const backoff = options.backoff ?? { firstMs: 1_000, capMs: 300_000 };
  const bytes = { sent: 0, received: 0 };
  /** Rejections of all that waits for an answer on the present connection. */
  const waiting = new Set<(error: VedetteError) => void>();
  let handlers: Handlers | undefined;
  let client: MqttClient | undefined;
  let upSince: number | undefined;
  let failures = 0;
  let sid = 0;
  let closed = false;
  let cancelRetry: (() => void) | undefined;

  const attempt = async () => {
    cancelRetry = undefined;
    try {
      const { url, password } = await options.credentials();
      if (!closed) open(url, password);
    } catch (error) {
      log.warn("mqtt.no_password", { code: codeOf(error), why: messageOf(error) });
      retry();
    }
  };

  const open = (url: string, password: string) => {
    // Grows over restarts too, without a write to the disk at each connection.
    sid = Math.max(sid + 1, Math.floor(clock.now() / 1000));
    const opened = connect(url, {
      protocolVersion: 4,
      clientId: options.agent,
      username: options.agent,
      password,
      clean: true,
      keepalive: keepaliveSeconds,
      connectTimeout: connectTimeoutMs,
      reconnectPeriod: 0, // reconnecting is `retry`'s, with jitter and a fresh password
      resubscribe: false,
      queueQoSZero: false,
      will: {
        topic: options.presenceTopic,
        payload: Buffer.from(JSON.stringify({ on: 0, sid })),
        qos: 1,
        retain: false,
      },
    });
    client = opened;
    opened.on("connect", () => {
      if (client !== opened) return;
      upSince = clock.monotonic();
      log.info("mqtt.up", { url });
      handlers?.up();
    });
    opened.on("message", (topic, payload) => {
      if (client === opened) handlers?.message(topic, new Uint8Array(payload));
    });
    opened.on("error", (error) => lost(opened, messageOf(error)));
    opened.on("close", () => lost(opened, "the connection was closed"));
  };

  const lost = (which: MqttClient, why: string) => {
    if (client !== which) return;
    const wasUp = upSince !== undefined;
    if (upSince !== undefined && clock.monotonic() - upSince >= steadyMs) failures = 0;
    count(which);
    client = undefined;
    upSince = undefined;
    which.end(true);
    rejectWaiting(why);
    if (closed) return;
    log.warn("mqtt.down", { why });
    if (wasUp) handlers?.down();
    retry();
  };

  const retry = () => {
    if (closed) return;
    const full = Math.min(backoff.capMs, backoff.firstMs * 2 ** Math.min(failures++, 30));
    cancelRetry = clock.after(full * (0.5 + 0.5 * options.random.unit()), () => void attempt());
  };

  const rejectWaiting = (why: string) => {
    for (const reject of [...waiting]) reject(offline(why));
    waiting.clear();
  };
  const count = (which: MqttClient) => {
    const socket = traffic(which);
    bytes.sent += socket.sent;
    bytes.received += socket.received;
  };

  /** Does one thing on the present connection; rejects when that is lost before it is answered. */
  const ask = (what: string, call: (on: MqttClient, done: (error?: unknown) => void) => void): Promise<void> => {
    const on = client;
    if (!on || upSince === undefined) return Promise.reject(offline(`no connection to ${what} on`));
    return new Promise((resolve, reject) => {
      waiting.add(reject);
      call(on, (error) => {
        if (!waiting.delete(reject)) return;
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
      return upSince !== undefined;
    },
    get sid() {
      return sid;
    },
    get bytes() {
      const now = client ? traffic(client) : { sent: 0, received: 0 };
      return { sent: bytes.sent + now.sent, received: bytes.received + now.received };
    },
    publish(topic, payload, { qos }) {
      const body = typeof payload === "string" ? Buffer.from(payload) : Buffer.from(payload);
      if (body.length > maxPayloadBytes) {
        const size = `${body.length} bytes for ${topic}, over the ${maxPayloadBytes} that every broker carries`;
        return Promise.reject(new VedetteError("too_large", `${size}: send it in parts`));
      }
      return ask(
        `publish ${topic}`,
        (on, done) => void on.publish(topic, body, { qos, retain: false }, (e) => done(e)),
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
      const last = client;
      if (!last) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(closeWaitMs, () => last.end(true, () => resolve()));
        last.end(false, () => {
          cancel();
          resolve();
        });
      });
      if (client === last) lost(last, "closed by this agent");
    },
  };
}

function offline(why: string, cause?: unknown): VedetteError {
  return new VedetteError("offline", `not connected to the broker: ${why}`, { cause });
}

/** Bytes of the connection's socket, framing and pings included. */
function traffic(client: MqttClient): { sent: number; received: number } {
  const socket = client.stream as { bytesWritten?: number; bytesRead?: number } | undefined;
  return { sent: socket?.bytesWritten ?? 0, received: socket?.bytesRead ?? 0 };
}
