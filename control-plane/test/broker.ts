/** What the broker's tests share: a fleet of known passwords, a store of blobs in memory, and devices over mqtt.js. */
import { topics } from "@vedette/protocol/topics";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { onTestFinished } from "vitest";
import { type BrokerOptions, startEmbeddedBroker } from "../src/mqtt/embedded-broker.ts";
import type { Fleet } from "../src/ports.ts";
import { sha256 as sha256Of } from "../src/sha256.ts";
import { systemClock } from "../src/system-clock.ts";
import { silentLogger } from "./clock.ts";
import { noIngestion } from "./empty-lake.ts";

const site = "test";
export const names = topics(site);

/** A fleet that lets in who says `good`, and writes down what it hears. */
export function fakeFleet(over: Partial<Fleet> = {}) {
  const heard: unknown[][] = [];
  const fleet: Fleet = {
    authenticate: async (_, password) => (password === "good" ? Date.now() + 3_600_000 : undefined),
    open: async (_, __, text) => text,
    answer: async (agent, request) => JSON.stringify({ agent, kind: request.kind }),
    reported: async (agent, report) => void heard.push(["reported", agent, report.rev]),
    presence: async (agent, on, sid) => void heard.push(["presence", agent, on, sid]),
    seen: async () => {},
    heartbeat: async () => {},
    drift: async (_, { digest, window: { epoch, n } }) => ({ digest, epoch, n }),
    shadow: async (_, { window: { epoch, n } }) => ({ epoch, n }),
    commandDone: async (agent, outcome) => void heard.push(["commandDone", agent, outcome.id]),
    ...over,
  };
  return { fleet, heard };
}

/** A broker for one test, over blobs in memory. */
export async function testBroker(over: Partial<BrokerOptions> = {}) {
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  const broker = await startEmbeddedBroker({
    site,
    fleet: fakeFleet().fleet,
    blobs: {
      has: async (sha256) => blobs.has(sha256),
      get: async (sha256) => blobs.get(sha256),
      put: async (sha256, bytes) => void blobs.set(sha256, bytes),
    },
    ingestion: noIngestion,
    clock: systemClock,
    logger: silentLogger,
    host: "127.0.0.1",
    port: 0,
    wsPort: 0,
    incarnation: "born",
    ...over,
  });
  onTestFinished(() => broker.close());
  const addBlob = (bytes: Uint8Array<ArrayBuffer>) => {
    const sha256 = sha256Of(bytes);
    blobs.set(sha256, bytes);
    return sha256;
  };
  return { broker, addBlob };
}

export type Device = MqttClient & { readonly inbox: { topic: string; payload: Buffer; retain: boolean }[] };

/** A device that may or may not get in: no reconnects, so that what happens to the connection shows. */
export function device(url: string, agent: string, over: IClientOptions = {}): Device {
  const client = mqtt.connect(url, {
    clientId: agent,
    username: agent,
    password: "good",
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 3000,
    ...over,
  });
  const inbox: Device["inbox"] = [];
  client.on("message", (topic, payload, { retain }) => inbox.push({ topic, payload, retain }));
  // Refusals are seen by what follows; an error without a listener would end the process.
  client.on("error", () => {});
  onTestFinished(() => void client.end(true));
  return Object.assign(client, { inbox });
}

/** Resolves when an event comes; errors before it are none of its business. */
function heard(client: MqttClient, event: "connect" | "close"): Promise<void> {
  return new Promise((resolve) => client.once(event, () => resolve()));
}

/** A device that got in. */
export async function connected(port: number, agent: string, over: IClientOptions = {}): Promise<Device> {
  const client = device(`mqtt://127.0.0.1:${port}`, agent, over);
  await heard(client, "connect");
  return client;
}

/** Resolves when the connection has ended. */
export function ended(client: MqttClient): Promise<void> {
  return heard(client, "close");
}
