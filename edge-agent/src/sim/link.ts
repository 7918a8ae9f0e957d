/**
 * The network between one device and a broker, in virtual time: connections that break, messages that are late, doubled,
 * lost (QoS 0) or changed. A topic's messages stay in order, those of different topics do not. A link outlives the
 * processes at its ends; each process of the device gets a transport of its own.
 */
import { utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { parseTopic } from "@vedette/protocol/topics";
import type { Random, Transport } from "../core/ports.ts";
import type { ManualClock } from "./memory-ports.ts";
import type { SimProcess } from "./process.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Chances are of one message. */
export interface LinkFaults {
  readonly loss: number;
  readonly duplicate: number;
  readonly corrupt: number;
  /** The connection breaks. */
  readonly cut: number;
  /** Longest way of a message, ms. */
  readonly delayMs: number;
}
export const noFaults: LinkFaults = { loss: 0, duplicate: 0, corrupt: 0, cut: 0, delayMs: 20 };

/** One connection as the broker sees it. */
export interface LinkSession {
  readonly agent: string;
  readonly topics: ReadonlySet<string>;
  /** Towards the device; lost where the connection is. */
  send(topic: string, payload: Uint8Array | string, qos: 0 | 1): void;
  readonly open: boolean;
  cut(): void;
}
/** The broker's side. */
export interface LinkPeer {
  accepted(session: LinkSession): void;
  closed(session: LinkSession): void;
  published(session: LinkSession, topic: string, payload: Bytes): void;
  subscribed(session: LinkSession, topic: string): void;
}

export interface Link {
  faults: LinkFaults;
  /** Whether there is a way to the broker at all. */
  up: boolean;
  transport(process: SimProcess): Transport;
  /** The connection breaks now, if there is one. */
  cut(): void;
  /** Topics subscribed to now. */
  readonly subscriptions: number;
  /** Bytes of payloads and topics either way since the link was made. */
  readonly chatted: number;
}

interface Connection extends LinkSession {
  readonly topics: Set<string>;
  readonly failers: Set<(error: VedetteError) => void>;
  /** When the last message of each topic arrives, by direction and topic. */
  readonly arrivals: Map<string, number>;
  open: boolean;
}

const firstRetryMs = 500;
const longestRetryMs = 20_000;
const offline = () => new VedetteError("offline", "the connection to the broker is lost");

/** @param peer the broker of the moment; undefined while it is down. */
export function createLink(options: {
  agent: string;
  /** Where the will goes. */
  presenceTopic: string;
  world: ManualClock;
  random: Random;
  peer: () => LinkPeer | undefined;
}): Link {
  const { agent, presenceTopic: willTopic, world, random, peer } = options;
  let current: { connection: Connection; down: () => void; peer: LinkPeer } | undefined;
  let sid = 0;
  let chatted = 0;

  const chance = (share: number) => share > 0 && random.unit() < share;
  const size = (topic: string, payload: Uint8Array) => topic.length + payload.length + 8;

  /** Calls at the end of the way, in order within a topic, for each copy that arrives. */
  const carry = (
    connection: Connection,
    way: "up" | "down",
    topic: string,
    payload: Bytes,
    qos: 0 | 1,
    arrive: (payload: Bytes) => void,
  ) => {
    const { faults } = link;
    chatted += size(topic, payload);
    if (chance(faults.cut)) link.cut();
    if (qos === 0 && chance(faults.loss)) return;
    const copies = chance(faults.duplicate) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const key = `${way} ${topic}`;
      const at = Math.max(connection.arrivals.get(key) ?? 0, world.monotonic() + faults.delayMs * random.unit());
      connection.arrivals.set(key, at);
      const what = chance(faults.corrupt) ? corrupted(topic, payload, random) : payload;
      world.after(at - world.monotonic(), () => arrive(what.slice()));
    }
  };

  const link: Link = {
    faults: noFaults,
    up: true,
    get subscriptions() {
      return current?.connection.topics.size ?? 0;
    },
    get chatted() {
      return chatted;
    },
    cut() {
      if (!current) return;
      const { connection, down, peer: former } = current;
      current = undefined;
      connection.open = false;
      for (const fail of connection.failers) fail(offline());
      former.closed(connection);
      down();
    },
    transport(process) {
      let handlers: Parameters<Transport["start"]>[0] | undefined;
      let closed = false;
      let mine: Connection | undefined;
      const bytes = { sent: 0, received: 0 };

      const connect = (waitMs: number) => {
        process.clock.after(waitMs * (0.5 + random.unit()), () => {
          if (closed || !process.alive) return;
          const again = () => connect(Math.min(2 * waitMs, longestRetryMs));
          if (!link.up || !peer() || !handlers) return again();
          handlers.session(world.now()).then((session) => open(session, again), again);
        });
      };
      const open = (session: { sid: number; will: string }, again: () => void) => {
        const broker = peer();
        if (closed || !process.alive) return;
        if (!link.up || !broker) return again();
        link.cut(); // of a process before this one
        const connection: Connection = {
          agent,
          topics: new Set(),
          failers: new Set(),
          arrivals: new Map(),
          open: true,
          cut: () => {
            if (current?.connection === connection) link.cut();
          },
          send(topic, payload, qos) {
            if (!connection.open) return;
            carry(connection, "down", topic, bytesOf(payload), qos, (arrived) => {
              if (!connection.open || !process.alive) return;
              bytes.received += size(topic, arrived);
              handlers?.message(topic, arrived);
            });
          },
        };
        mine = connection;
        sid = session.sid;
        const down = () => {
          mine = undefined;
          // The will: what the device left with the broker for this case.
          if (broker === peer()) broker.published(connection, willTopic, utf8(session.will));
          if (!process.alive) return;
          handlers?.down();
          if (!closed) connect(firstRetryMs);
        };
        current = { connection, down, peer: broker };
        broker.accepted(connection);
        handlers?.up();
      };

      /** Resolves when the broker has it and its answer came back; rejects where the connection breaks before. */
      const ask = (topic: string, payload: Bytes, qos: 0 | 1, arrived: (c: Connection, p: Bytes) => void) =>
        new Promise<void>((resolve, reject) => {
          const connection = mine;
          if (!connection?.open) return reject(offline());
          const settle = (error?: VedetteError) => {
            connection.failers.delete(settle);
            if (error) reject(error);
            else resolve();
          };
          connection.failers.add(settle);
          bytes.sent += size(topic, payload);
          const to = current?.peer;
          carry(connection, "up", topic, payload, qos, (what) => {
            // What was on its way when the connection broke has often arrived all the same.
            if (peer() !== to || (!connection.open && random.unit() < 0.5)) return;
            arrived(connection, what);
            if (qos === 1) process.clock.after(link.faults.delayMs * random.unit(), settle);
          });
          if (qos === 0) settle();
        });

      return {
        bytes,
        get connected() {
          return mine?.open ?? false;
        },
        get sid() {
          return sid;
        },
        start(given) {
          handlers = given;
          connect(firstRetryMs);
        },
        publish: (topic, payload, { qos }) =>
          ask(topic, bytesOf(payload), qos, (connection, what) => peer()?.published(connection, topic, what)),
        subscribe: (topic) =>
          ask(topic, new Uint8Array(), 1, (connection) => {
            if (!connection.open) return;
            connection.topics.add(topic);
            peer()?.subscribed(connection, topic);
          }),
        // Carried like the SUBSCRIBE before it, so that no late copy of that one undoes it.
        unsubscribe: (topic) => ask(topic, new Uint8Array(), 1, (connection) => void connection.topics.delete(topic)),
        async close() {
          closed = true;
          if (mine) link.cut();
        },
      };
    },
  };
  return link;
}

function bytesOf(payload: Uint8Array | string): Bytes {
  // Not slice: that of a Node Buffer is no copy.
  return typeof payload === "string" ? utf8(payload) : new Uint8Array(payload);
}

/**
 * Bytes that are hashed end to end change anyhow; what is plain JSON changes so that it is no text any more. (That a digit
 * becomes another digit is TLS's to see: nothing above it could.)
 */
function corrupted(topic: string, payload: Bytes, random: Random): Bytes {
  const copy = payload.slice();
  if (copy.length === 0) return copy;
  const at = Math.floor(random.unit() * copy.length);
  const kind = parseTopic(topic)?.kind;
  if (kind !== "blob" && kind !== "chunk" && kind !== "log") {
    copy[at] = (copy[at] ?? 0) | 0x80;
    return copy;
  }
  if (random.unit() < 0.3) return copy.slice(0, at);
  copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(8 * random.unit()));
  return copy;
}
