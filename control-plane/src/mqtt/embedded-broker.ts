/**
 * The embedded broker: aedes behind our own rules. It keeps nothing: the database says what is true, devices repeat what
 * is not answered. `access.ts` says who may, `uplink.ts` deals with what devices say, `sessions.ts` sends.
 *
 *     device → listen → packet guard → aedes → access → uplink → fleet, ingestion
 *     device ← sessions, retained ← uplink, hint, birth, blobs
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { maxPayloadBytes } from "@vedette/protocol/messages";
import { topics } from "@vedette/protocol/topics";
import { Aedes } from "aedes";
import type { BlobStore, Broker, Clock, Fleet, Ingestion, Logger } from "../ports.ts";
import { accessRules } from "./access.ts";
import { createBlobCache } from "./blob-cache.ts";
import { type BrokerLimits, defaultBrokerLimits } from "./limits.ts";
import { listen } from "./listen.ts";
import { guardReads } from "./packet-guard.ts";
import { retainedOnly } from "./retained.ts";
import { createSessions } from "./sessions.ts";
import { createUplink } from "./uplink.ts";

export interface BrokerOptions {
  readonly site: string;
  readonly fleet: Fleet;
  readonly blobs: BlobStore;
  readonly ingestion: Ingestion;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly wsPort: number;
  /** PEM texts: then devices come by mqtts:// and pages by wss://. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly limits?: Partial<BrokerLimits>;
  /** Names this start of the control plane: a new name asks every agent to say hello anew. */
  readonly incarnation?: string;
}

export interface EmbeddedBroker extends Broker {
  readonly port: number;
  /** The port that speaks MQTT over websockets. */
  readonly wsPort: number;
  /** Devices connected now. */
  connected(): string[];
  counters(): Record<string, number>;
}

/**
 * Starts the broker on both ports. `counters` counts what was refused, dropped or malformed, by kind.
 * @throws VedetteError not_ready where a port cannot be had.
 */
export async function startEmbeddedBroker(options: BrokerOptions): Promise<EmbeddedBroker> {
  const { site, fleet, ingestion, clock, logger, incarnation = randomUUID() } = options;
  const limits = { ...defaultBrokerLimits, ...options.limits };
  const names = topics(site);
  const counters = new Map<string, number>();
  const count = (what: string) => void counters.set(what, (counters.get(what) ?? 0) + 1);

  const blobs = createBlobCache(options.blobs, maxPayloadBytes, limits.blobCacheBytes);
  const birth = (on: boolean) => JSON.stringify({ on, incarnation });
  const messages = new Map<string, string>([[names.controlPlane, birth(true)]]);
  const sessions = createSessions(clock, limits);
  const receive = createUplink({ site, fleet, ingestion, blobs, downlink: sessions, limits, clock, logger, count });

  const aedes = await Aedes.createBroker({
    persistence: retainedOnly(messages, blobs, logger),
    connectTimeout: limits.connectTimeoutMs,
    drainTimeout: limits.drainTimeoutMs,
    maxTopicLevels: 8,
    ...accessRules({ site, fleet, sessions, limits, clock, logger, count }),
    published(packet, client, done) {
      // At once: the connection's next packets do not wait for a disk.
      done();
      const session = client && sessions.of(client);
      if (session) void receive(session, packet.topic, payloadOf(packet.payload));
    },
  });
  const noteError = (_: unknown, error: Error) => {
    count("connection_errors");
    logger.info("mqtt.connection_error", { error: error.message });
  };
  aedes.on("clientReady", sessions.accepted);
  aedes.on("clientError", noteError);
  aedes.on("connectionError", noteError);

  const accept = (conn: Duplex, request?: IncomingMessage) => {
    const client = aedes.handle(conn, request);
    const limit = () => (sessions.of(client) ? limits.packetBytes : limits.connectPacketBytes);
    guardReads(conn, limit, () => count("oversized"));
  };
  const listeners = await listen({ ...options, limits }, accept).catch((error: unknown) => {
    aedes.close();
    throw error;
  });

  let closing: Promise<void> | undefined;
  const close = async () => {
    const farewell = sessions
      .connected()
      .map((agent) => sessions.send(agent, names.controlPlane, birth(false), { qos: 1 }));
    // A device that does not read hears nothing, and keeps nobody waiting.
    await Promise.race([Promise.all(farewell), new Promise<void>((resolve) => clock.after(500, resolve))]);
    await new Promise<void>((resolve) => aedes.close(resolve));
    await listeners.close();
  };

  return {
    urls: (host) => ({
      mqttUrl: `${options.tls ? "mqtts" : "mqtt"}://${host}:${listeners.port}`,
      mqttWsUrl: `${options.tls ? "wss" : "ws"}://${host}:${listeners.wsPort}`,
    }),
    offer: async () => {}, // a subscription to a chunk is answered from the store
    port: listeners.port,
    wsPort: listeners.wsPort,
    async hint(agent, rev) {
      const payload = JSON.stringify({ rev });
      messages.set(names.desired(agent), payload);
      // Not waited for: one device that reads slowly must not hold up a rollout. `send` never rejects.
      void sessions.send(agent, names.desired(agent), payload, { qos: 1 });
    },
    async command(agent, text) {
      void sessions.send(agent, names.command(agent), text, { qos: 1 });
    },
    connected: sessions.connected,
    async disconnect(agent) {
      messages.delete(names.desired(agent));
      sessions.disconnect(agent);
    },
    async disconnectAll() {
      for (const agent of sessions.connected()) sessions.disconnect(agent);
    },
    close() {
      closing ??= close();
      return closing;
    },
    counters: () => Object.fromEntries(counters),
  };
}

function payloadOf(payload: string | Buffer): Buffer {
  return typeof payload === "string" ? Buffer.from(payload) : payload;
}
