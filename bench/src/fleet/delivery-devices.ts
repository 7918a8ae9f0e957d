/**
 * Who fetches in `delivery`, in a process of its own. A bare subscriber subscribes to all chunks and counts bytes; a light
 * device keeps the fetch protocol of the agent (a window of four, each chunk hashed, then unsubscribed); a real one is the
 * agent's own receive room over mqtt.js, with a store on the disk.
 */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMqttTransport, nodeCrypto, openFsStorage, systemClock, systemRandom } from "@vedette/edge-agent/node";
import { topics } from "@vedette/protocol/topics";
import { createInbox } from "../../../edge-agent/src/core/link/inbox.ts";
import { fetchChunks } from "../../../edge-agent/src/core/receive/fetch-chunks.ts";
import { createBundleStore } from "../../../edge-agent/src/core/store/bundle-store.ts";
import type { Chunk } from "./delivery-server.ts";
import { serveTasks } from "./helper.ts";
import { connectLight, type LightClient } from "./light-client.ts";
import { site } from "./open-house.ts";

export interface Fetched {
  readonly seconds: number;
  /** Of all devices, payloads only. */
  readonly bytes: number;
}
/** Connected, and ready to fetch; `fetch` resolves with the bytes it got. */
interface Device {
  fetch(chunks: readonly Chunk[]): Promise<number>;
  close(): Promise<void>;
}

const names = topics(site);
/** As the agent has it. */
const windowSize = 4;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const lengthOf = (chunks: readonly Chunk[]) => chunks.reduce((sum, { length }) => sum + length, 0);

async function bareSubscriber(port: number, agent: string, hashed: boolean): Promise<Device> {
  let got = 0;
  let wanted = Number.POSITIVE_INFINITY;
  const all = Promise.withResolvers<number>();
  const client = await connectLight({
    port,
    agent,
    message(_, payload) {
      got += payload.length;
      if (hashed) createHash("sha256").update(payload).digest();
      if (got >= wanted) all.resolve(got);
    },
    lost: (why) => all.reject(new Error(`${agent} was cut off: ${why}`)),
  });
  return {
    async fetch(chunks) {
      wanted = lengthOf(chunks);
      await client.subscribe(
        chunks.map(({ sha256 }) => names.blob(sha256)),
        0,
      );
      return all.promise;
    },
    close: async () => client.close(),
  };
}

async function lightDevice(port: number, agent: string): Promise<Device> {
  const waiting = new Map<string, (payload: Buffer) => void>();
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined); // heard by who fetches
  const client = await connectLight({
    port,
    agent,
    message: (topic, payload) => waiting.get(topic)?.(payload),
    lost: (why) => lost.reject(new Error(`${agent} was cut off: ${why}`)),
  });
  const fetchOne = async (on: LightClient, { sha256, length }: Chunk) => {
    const topic = names.blob(sha256);
    const payload = new Promise<Buffer>((resolve) => void waiting.set(topic, resolve));
    await on.subscribe([topic], 0);
    const bytes = await Promise.race([payload, lost.promise]);
    waiting.delete(topic);
    if (bytes.length !== length || createHash("sha256").update(bytes).digest("hex") !== sha256) {
      throw new Error(`${agent} got other bytes than chunk ${sha256}`);
    }
    await on.unsubscribe(topic);
    return bytes.length;
  };
  return {
    async fetch(chunks) {
      const left = [...chunks];
      let got = 0;
      const worker = async () => {
        for (let chunk = left.shift(); chunk; chunk = left.shift()) {
          const length = await fetchOne(client, chunk);
          got += length;
        }
      };
      await Promise.all(Array.from({ length: windowSize }, worker));
      return got;
    },
    close: async () => client.close(),
  };
}

async function realDevice(port: number, agent: string, folder: string): Promise<Device> {
  const storage = await openFsStorage(join(folder, agent));
  const transport = createMqttTransport({
    agent,
    presenceTopic: names.presence(agent),
    credentials: async () => ({ url: `mqtt://127.0.0.1:${port}`, time: 1, password: "bench" }),
    clock: systemClock,
    random: systemRandom,
    log: silent,
  });
  const inbox = createInbox(silent);
  await new Promise<void>((up) => {
    transport.start({
      up,
      down: () => undefined,
      message: inbox.deliver,
      session: async () => ({ sid: 1, will: "{}" }),
    });
  });
  const store = createBundleStore({ storage, crypto: nodeCrypto, log: silent });
  const budget = { take: () => () => undefined };
  const rest = { clock: systemClock, random: systemRandom, transport, inbox, log: silent, store, agent, budget };
  return {
    async fetch(chunks) {
      const before = transport.bytes.received;
      await fetchChunks(chunks, { ...rest, topic: names });
      return transport.bytes.received - before;
    },
    close: () => transport.close(),
  };
}

const tasks = {
  /** Connects them all, and times from the first subscription to the last chunk. */
  async fetch(order: {
    port: number;
    prefix: string;
    kind: "bare" | "hashing" | "light";
    count: number;
    real: number;
    chunks: readonly Chunk[];
  }): Promise<Fetched> {
    const { port, prefix, kind, count, real, chunks } = order;
    const folder = await mkdtemp(join(tmpdir(), "vedette-delivery-"));
    const connect = (on: number, agent: string) =>
      kind === "light" ? lightDevice(on, agent) : bareSubscriber(on, agent, kind === "hashing");
    const devices = await Promise.all([
      ...Array.from({ length: count }, (_, i) => connect(port, `${prefix}-${i}`)),
      ...Array.from({ length: real }, (_, i) => realDevice(port, `${prefix}-real-${i}`, folder)),
    ]);
    try {
      const started = performance.now();
      const got = await Promise.all(devices.map((device) => device.fetch(chunks)));
      const seconds = (performance.now() - started) / 1000;
      return { seconds, bytes: got.reduce((sum, bytes) => sum + bytes, 0) };
    } finally {
      await Promise.all(devices.map((device) => device.close()));
      await rm(folder, { recursive: true, force: true });
    }
  },
};
export type DeliveryDevicesTasks = typeof tasks;

serveTasks(tasks);
