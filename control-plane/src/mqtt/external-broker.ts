/**
 * Any MQTT 3.1.1 broker, as one client among the devices'. Nothing is believed for its coming through the broker: devices
 * sign what they say, batches are checked. Nothing is kept in the broker alone: what it forgets is published again at the
 * next connection, and what it loses on the way the devices repeat.
 *
 *     device → broker → uplink → fleet, ingestion
 *     device ← broker ← answers, hints, birth, chunks (retained)
 */
import { randomUUID } from "node:crypto";
import { messageOf } from "@vedette/protocol/errors";
import { maxPayloadBytes } from "@vedette/protocol/messages";
import { parseTopic, topics, uplinkFilters } from "@vedette/protocol/topics";
import { connect, type IClientOptions } from "mqtt";
import type { BlobStore, Broker, Clock, Fleet, Ingestion, Logger, RetainedChunks } from "../ports.ts";
import { createBlobCache } from "./blob-cache.ts";
import { createBlobKeeper } from "./blob-keeper.ts";
import { type BrokerLimits, defaultBrokerLimits } from "./limits.ts";
import { createPeer, type Downlink, type Peer } from "./peer.ts";
import { createUplink } from "./uplink.ts";

/** Where the broker is and who the control plane is to it. PEM texts. */
export interface BrokerAddress {
  readonly url: string;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
}

export interface ExternalBrokerOptions {
  readonly site: string;
  readonly fleet: Fleet;
  readonly blobs: BlobStore;
  readonly ingestion: Ingestion;
  readonly chunks: RetainedChunks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly address: BrokerAddress;
  readonly limits?: Partial<BrokerLimits>;
  readonly incarnation?: string;
  /** How long unused chunks stay with the broker. */
  readonly graceMs?: number;
  /** Bytes of all devices' messages that may wait; the broker keeps back what comes above it. */
  readonly maxInFlightBytes?: number;
}
export interface ExternalBroker extends Broker {
  readonly connected: boolean;
  counters(): Record<string, number>;
}

const reconnectMs = 2_000;
/** A start does not wait longer for the broker: HTTP is of use without it. */
const firstConnectMs = 5_000;
const farewellMs = 2_000;
const offerMs = 10_000;
const syncEveryMs = 60_000;
const maxInFlightBytes = 64 * 1024 * 1024;

/** Connects, and resolves when that is done or the broker was not reached for a while: it is then tried on. */
export async function connectBroker(options: ExternalBrokerOptions): Promise<ExternalBroker> {
  const { site, fleet, ingestion, clock, logger, address, incarnation = randomUUID() } = options;
  const limits = { ...defaultBrokerLimits, ...options.limits };
  const names = topics(site);
  const counters = new Map<string, number>();
  const count = (what: string) => void counters.set(what, (counters.get(what) ?? 0) + 1);
  const birth = (on: boolean) => JSON.stringify({ on, incarnation });

  const { url, ...login } = address;
  const client = connect(url, {
    ...definedOf(login),
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    connectTimeout: 20_000,
    reconnectPeriod: reconnectMs,
    reconnectOnConnackError: true,
    resubscribe: false,
    queueQoSZero: false,
    will: { topic: names.controlPlane, payload: Buffer.from(birth(false)), qos: 1, retain: true },
  });
  const publish = async (topic: string, payload: string | Buffer, given: { qos: 0 | 1; retain: boolean }) => {
    await client.publishAsync(topic, payload, given);
  };

  const peers = new Map<string, Peer>();
  const peerOf = (agent: string): Peer => {
    const peer = peers.get(agent) ?? createPeer(agent, limits, clock);
    // The most recently heard are kept: on a broker with weak rules anyone may speak under any name.
    peers.delete(agent);
    peers.set(agent, peer);
    const [oldest] = peers.keys();
    if (peers.size > limits.connections && oldest !== undefined) peers.delete(oldest);
    return peer;
  };

  const blobs = createBlobCache(options.blobs, maxPayloadBytes, limits.blobCacheBytes);
  const downlink: Downlink = {
    async send(_, topic, payload, { qos = 0, retain = false } = {}) {
      // Lost with the connection: a device repeats what is not answered.
      if (client.connected) await publish(topic, payload, { qos, retain }).catch(noteError);
    },
  };
  const receive = createUplink({ site, fleet, ingestion, blobs, downlink, limits, clock, logger, count });
  const keeper = createBlobKeeper({
    chunks: options.chunks,
    blobs,
    retain: (sha256, bytes) => publish(names.blob(sha256), bytes, { qos: 1, retain: true }),
    graceMs: options.graceMs,
    clock,
    logger,
  });

  function noteError(error: unknown): void {
    count("connection_errors");
    logger.warn("mqtt.broker_error", { broker: withoutLogin(url), why: messageOf(error) });
  }
  const onConnect = async () => {
    // One SUBSCRIBE a topic: some brokers refuse all for the sake of one.
    for (const topic of uplinkFilters(site)) {
      const [granted] = await client.subscribeAsync(topic, { qos: 1 });
      if (!granted || granted.qos > 1) throw new Error(`the broker refuses a subscription to ${topic}: see its rules`);
    }
    await publish(names.controlPlane, birth(true), { qos: 1, retain: true });
    logger.info("mqtt.broker_up", { broker: withoutLogin(url) });
    await keeper.restore();
  };
  client.on("connect", () => {
    onConnect().catch((error: unknown) => {
      noteError(error);
      client.stream.destroy(); // and again, later
    });
  });
  client.on("error", noteError);
  client.on("offline", () => logger.warn("mqtt.broker_down", { broker: withoutLogin(url) }));

  const maxInFlight = options.maxInFlightBytes ?? maxInFlightBytes;
  let inFlight = 0;
  let waiting: (() => void)[] = [];
  client.handleMessage = ({ topic, payload, retain }, done) => {
    const agent = parseTopic(topic);
    // Devices retain nothing: what a broker kept of one is old.
    if (agent && "agent" in agent && !retain) {
      const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
      inFlight += bytes.length;
      void receive(peerOf(agent.agent), topic, bytes).then(() => {
        inFlight -= bytes.length;
        if (inFlight > maxInFlight) return;
        for (const go of waiting.splice(0)) go();
      });
    }
    if (inFlight <= maxInFlight) done();
    else waiting.push(() => done());
  };

  let cancelSync = clock.after(syncEveryMs, sync);
  function sync(): void {
    void keeper.sync();
    cancelSync = clock.after(syncEveryMs, sync);
  }
  let closing: Promise<void> | undefined;
  const close = async () => {
    cancelSync();
    waiting = [];
    if (client.connected) {
      const said = publish(names.controlPlane, birth(false), { qos: 1, retain: true }).catch(noteError);
      await Promise.race([said, new Promise<void>((resolve) => clock.after(farewellMs, resolve))]);
    }
    await client.endAsync(true);
  };

  await new Promise<void>((resolve) => {
    const cancel = clock.after(firstConnectMs, () => {
      logger.warn("mqtt.broker_not_reached", {
        broker: withoutLogin(url),
        why: "it is tried on: devices wait meanwhile",
      });
      resolve();
    });
    client.once("connect", () => {
      cancel();
      resolve();
    });
  });

  return {
    get connected() {
      return client.connected;
    },
    urls: () => ({ mqttUrl: withoutLogin(url), mqttWsUrl: "" }),
    async offer() {
      // A broker that hangs must not hold up an operator; chunks that come late are pulled.
      const late = new Promise<void>((resolve) => clock.after(offerMs, resolve));
      if (client.connected) await Promise.race([keeper.sync(), late]);
    },
    async hint(agent, rev) {
      // Not waited for: where the broker is away, the device's hello after the next connection brings the assignment.
      if (client.connected) {
        publish(names.desired(agent), JSON.stringify({ rev }), { qos: 1, retain: true }).catch(noteError);
      }
    },
    async command(agent, text) {
      // Not retained: where it is lost, the answer to the next hello has it again.
      if (client.connected) publish(names.command(agent), text, { qos: 1, retain: false }).catch(noteError);
    },
    async disconnect(agent) {
      // MQTT 3.1.1 has no way to close another's connection; its messages are refused from now on.
      peers.delete(agent);
      if (client.connected) await publish(names.desired(agent), "", { qos: 1, retain: true }).catch(noteError);
    },
    // That broker keeps its own connections; MQTT 3.1.1 has no way to end them.
    disconnectAll: async () => {},
    close() {
      closing ??= close();
      return closing;
    },
    counters: () => Object.fromEntries(counters),
  };
}

/** A URL for logs and devices. */
function withoutLogin(url: string): string {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  return bare.href;
}

function definedOf(login: Omit<BrokerAddress, "url">): IClientOptions {
  return Object.fromEntries(Object.entries(login).filter(([, value]) => value !== undefined));
}
