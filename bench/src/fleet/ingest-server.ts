/** The receiving side of `ingest`, in a process of its own so that its CPU is its own: the real one, and two bare ones. */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLake } from "../../../control-plane/src/lake/open-lake.ts";
import { startEmbeddedBroker } from "../../../control-plane/src/mqtt/embedded-broker.ts";
import { startBareAedes } from "./bare-aedes.ts";
import { benchKey, type DeviceBatches, makeBatches, stream } from "./device-batches.ts";
import { serveTasks } from "./helper.ts";
import { clock, logger, openHouse, site } from "./open-house.ts";

export interface Made {
  readonly round: string;
  readonly devices: number;
  readonly batches: number;
}
export interface Taken {
  readonly predictions: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Batches of one device that are under way: what an agent sends without an answer. */
export const window = 2;

const home = await mkdtemp(join(tmpdir(), "vedette-ingest-"));
const deviceKeys = async () => [benchKey.publicKeyHex];
const { lake, ingestion, close: closeLake } = await openLake({ folder: home, clock, logger, deviceKeys });
const blobs = { has: async () => false, get: async () => undefined, put: async () => undefined };
const ports = { host: "127.0.0.1", port: 0, wsPort: 0 };
const broker = await startEmbeddedBroker({ site, fleet: openHouse, blobs, ingestion, clock, logger, ...ports });
const bare = await startBareAedes();

async function make({ round, devices, batches }: Made): Promise<DeviceBatches[]> {
  const all: DeviceBatches[] = [];
  for (let i = 0; i < devices; i++) all.push(await makeBatches(`take-${round}-${i}`, batches, i + 1));
  return all;
}

/** Every device with `window` batches under way. */
async function timed(made: readonly DeviceBatches[], store: (device: DeviceBatches, frame: Bytes) => Promise<void>) {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(
    made.flatMap((device) => {
      const left = [...device.frames];
      return Array.from({ length: window }, async () => {
        for (let frame = left.shift(); frame; frame = left.shift()) await store(device, frame);
      });
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  return {
    predictions: made.reduce((sum, { predictions }) => sum + predictions, 0),
    bytes: made.reduce((sum, { frames }) => sum + frames.reduce((all, { length }) => all + length, 0), 0),
    seconds,
    cpuSeconds: (used.user + used.system) / 1e6,
  } satisfies Taken;
}
type Bytes = Uint8Array<ArrayBuffer>;

let cpuBefore = process.cpuUsage();
const tasks = {
  ports: () => ({ vedette: broker.port, bare: bare.port }),
  /** The ingestion itself, without a network. */
  take: async (made: Made): Promise<Taken> =>
    timed(await make(made), async ({ agent, epoch }, frame) => {
      const ack = await ingestion.take(agent, stream, frame);
      if (!("epoch" in ack) || ack.epoch !== epoch || "reject" in ack)
        throw new Error(`not stored: ${JSON.stringify(ack)}`);
    }),
  /** The same batches once more: what was stored is not stored again. @returns how many were acknowledged. */
  async repeat(made: { agent: string; frames: Bytes[] }[]): Promise<number> {
    let acknowledged = 0;
    for (const { agent, frames } of made) {
      for (const frame of frames) if ("upTo" in (await ingestion.take(agent, stream, frame))) acknowledged++;
    }
    return acknowledged;
  },
  /** A file, appended to and synced: frames that come while one sync is under way share the next. */
  async append(made: Made): Promise<Taken> {
    const all = await make(made);
    const file = await open(join(home, `append-${made.round}`), "a");
    let waiting: { frame: Bytes; done: () => void }[] = [];
    let syncing: Promise<void> | undefined;
    const drain = async () => {
      while (waiting.length > 0) {
        const group = waiting;
        waiting = [];
        await file.writev(group.map(({ frame }) => frame));
        await file.datasync();
        for (const { done } of group) done();
      }
      syncing = undefined;
    };
    try {
      return await timed(
        all,
        (_, frame) =>
          new Promise((done) => {
            waiting.push({ frame, done });
            syncing ??= Promise.resolve().then(drain);
          }),
      );
    } finally {
      await syncing;
      await file.close();
      await rm(join(home, `append-${made.round}`));
    }
  },
  /** CPU seconds since it was asked before. */
  cpu(): number {
    const used = process.cpuUsage(cpuBefore);
    cpuBefore = process.cpuUsage();
    return (used.user + used.system) / 1e6;
  },
  /** Into Parquet, all that waits. */
  async flush(): Promise<{ batches: number; seconds: number }> {
    const started = performance.now();
    const batches = await lake.flush();
    return { batches, seconds: (performance.now() - started) / 1000 };
  },
  async stored(): Promise<{ rows: number; ids: number }> {
    const { rows } = await lake.query({ sql: "SELECT count(*), count(DISTINCT id) FROM predictions", limit: 1 });
    const [all, ids] = rows[0] ?? [];
    return { rows: Number(all), ids: Number(ids) };
  },
  async close(): Promise<void> {
    await broker.close();
    await bare.close();
    await closeLake();
    await rm(home, { recursive: true, force: true });
  },
};
export type IngestServerTasks = typeof tasks;

serveTasks(tasks);
