/**
 * Transport on mqtt.js over a WebSocket. Each connection is a client of its own, with a fresh password, will and session
 * number; nothing queued for a lost one lives on, since core keeps what matters on disk and sends it again.
 */
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { maxPayloadBytes } from "@vedette/protocol/messages";
import mqtt, { type MqttClient } from "mqtt";
import type { Clock, Logger, Random, Transport } from "../core/ports.ts";

export interface WsTransportOptions {
  /** Client id and user name. */
  readonly agent: string;
  readonly presenceTopic: string;
  /** Where to connect (ws:// or wss://), and with what password: asked anew for each connection. */
  readonly credentials: () => Promise<{ url: string; password: string }>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Between tries: `firstMs` doubled up to `capMs`, of which half to all is waited. */
  readonly backoff?: { readonly firstMs: number; readonly capMs: number };
}

type Handlers = Parameters<Transport["start"]>[0];
/** A connection that lasted this long was a good one: the next failure begins the backoff anew. */
const goodAfterMs = 30_000;
const goodbyeMs = 2_000;

/** One connection and all that waits on it. */
interface Connection {
  readonly client: MqttClient;
  readonly sid: number;
  readonly waiting: Set<(error: VedetteError) => void>;
  upAt: number | undefined;
}

export function createWsTransport(options: WsTransportOptions): Transport {
  const { agent, clock, random, log } = options;
  const { firstMs, capMs } = options.backoff ?? { firstMs: 1_000, capMs: 300_000 };
  const bytes = { sent: 0, received: 0 };
  let handlers: Handlers | undefined;
  let current: Connection | undefined;
  let sid = 0;
  let failures = 0;
  let cancelRetry: (() => void) | undefined;
  let closed = false;

  const dial = async () => {
    try {
      const { url, password } = await options.credentials();
      if (!closed) open(url, password);
    } catch (error) {
      log.warn("transport.no_password", { code: codeOf(error), why: messageOf(error) });
      retry();
    }
  };

  const open = (url: string, password: string) => {
    // Larger than any before, also than those before a reload, without anything to keep.
    sid = Math.max(sid + 1, Math.floor(clock.now() / 1000));
    const will = {
      topic: options.presenceTopic,
      payload: JSON.stringify({ on: 0, sid }),
      qos: 1,
      retain: false,
    } as const;
    const client = mqtt.connect(url, {
      protocolVersion: 4,
      clientId: agent,
      username: agent,
      password,
      clean: true,
      keepalive: 60,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      // Workers of the library would need a `worker-src` of their own, and timers of a worker are not throttled.
      timerVariant: "native",
      // The DOM's types know no Buffer, which is what the library calls a payload that is not text.
      will: will as never,
    });
    const connection: Connection = { client, sid, waiting: new Set(), upAt: undefined };
    current = connection;
    client.on("connect", () => {
      connection.upAt = clock.monotonic();
      log.info("transport.up", { url, sid: connection.sid });
      handlers?.up();
    });
    client.on("packetreceive", (packet) => (bytes.received += packet.length ?? 0));
    client.on("message", (topic, payload: Uint8Array) => handlers?.message(topic, new Uint8Array(payload)));
    client.on("error", (error) => lose(connection, messageOf(error)));
    client.on("close", () => lose(connection, "the connection was closed"));
  };

  const lose = (connection: Connection, why: string) => {
    if (current !== connection) return;
    current = undefined;
    connection.client.end(true);
    for (const reject of connection.waiting) reject(offline(why));
    if (connection.upAt !== undefined && clock.monotonic() - connection.upAt >= goodAfterMs) failures = 0;
    if (connection.upAt !== undefined) handlers?.down();
    if (closed) return;
    log.warn("transport.down", { why });
    retry();
  };

  const retry = () => {
    if (closed) return;
    const wait = Math.min(capMs, firstMs * 2 ** Math.min(failures++, 20));
    cancelRetry = clock.after(wait * (0.5 + random.unit() / 2), () => void dial());
  };

  /** Does one thing on the connection there is; rejects where that is lost before the answer. */
  const ask = (what: string, call: (client: MqttClient, done: (error?: unknown) => void) => void): Promise<void> => {
    const connection = current;
    if (connection?.upAt === undefined) return Promise.reject(offline(`cannot ${what} now`));
    return new Promise((resolve, reject) => {
      connection.waiting.add(reject);
      call(connection.client, (error) => {
        connection.waiting.delete(reject);
        if (!error) resolve();
        else reject(error instanceof VedetteError ? error : offline(`cannot ${what}: ${messageOf(error)}`));
      });
    });
  };

  return {
    start(given) {
      handlers = given;
      void dial();
    },
    get connected() {
      return current?.upAt !== undefined;
    },
    get sid() {
      return sid;
    },
    get bytes() {
      return { ...bytes };
    },
    publish(topic, payload, { qos }) {
      const text = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
      if (text.length > maxPayloadBytes) {
        const size = `${text.length} bytes for ${topic}, over the ${maxPayloadBytes} that every broker carries`;
        return Promise.reject(new VedetteError("too_large", size));
      }
      bytes.sent += text.length + topic.length;
      // A view of the library's own kind is not needed: it writes any bytes.
      return ask(`publish to ${topic}`, (client, done) =>
        client.publish(topic, text as never, { qos, retain: false }, (error) => done(error)),
      );
    },
    subscribe: (topic, qos) =>
      ask(`subscribe to ${topic}`, (client, done) =>
        client.subscribe(topic, { qos }, (error) => {
          // The library's error carries the SUBACK where there was one: then the broker has refused, and is not away.
          const no = error && "packet" in error;
          done(no ? new VedetteError("forbidden", `the broker refuses a subscription to ${topic}`) : error);
        }),
      ),
    unsubscribe: (topic) =>
      ask(`unsubscribe from ${topic}`, (client, done) => client.unsubscribe(topic, (error) => done(error))),
    async close() {
      closed = true;
      cancelRetry?.();
      const last = current;
      if (!last) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(goodbyeMs, resolve);
        last.client.end(false, () => {
          cancel();
          resolve();
        });
      });
      lose(last, "closed by this page");
    },
  };
}

function offline(why: string): VedetteError {
  return new VedetteError("offline", `not connected to the broker: ${why}`);
}
