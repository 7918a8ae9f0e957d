/** The sending side of `delivery`: our broker over the chunks of a model, and aedes that retains the same; CPU its own. */
import { topics } from "@vedette/protocol/topics";
import { startEmbeddedBroker } from "../../../control-plane/src/mqtt/embedded-broker.ts";
import { chunkFile } from "../../../control-plane/src/publish/chunk-file.ts";
import { noIngestion } from "../../../control-plane/test/empty-lake.ts";
import { mulberry32 } from "../../../fixtures/src/fleet/random.ts";
import { startBareAedes } from "./bare-aedes.ts";
import { serveTasks } from "./helper.ts";
import { clock, logger, openHouse, site } from "./open-house.ts";

type Bytes = Uint8Array<ArrayBuffer>;
export interface Chunk {
  readonly sha256: string;
  readonly length: number;
}
/** A model, and the same after another training: by name, its chunks. */
export interface Models {
  readonly full: readonly Chunk[];
  /** One layer in a hundred is another. */
  readonly layer: readonly Chunk[];
  /** Every hundredth weight is another. */
  readonly scattered: readonly Chunk[];
}

const blobs = new Map<string, Bytes>();
const store = {
  has: async (sha256: string) => blobs.has(sha256),
  get: async (sha256: string) => blobs.get(sha256),
  put: async () => undefined,
};
const ports = { host: "127.0.0.1", port: 0, wsPort: 0 };
const broker = await startEmbeddedBroker({
  site,
  fleet: openHouse,
  blobs: store,
  ingestion: noIngestion,
  clock,
  logger,
  ...ports,
});
const bare = await startBareAedes();

function weights(bytes: number): Bytes {
  const random = mulberry32(11);
  return new Uint8Array(Float32Array.from({ length: bytes / 4 }, () => random() - 0.5).buffer);
}

let cpuBefore = process.cpuUsage();
const tasks = {
  ports: () => ({ vedette: broker.port, bare: bare.port }),
  /** Makes the models, of so many bytes, and offers their chunks on both brokers. */
  async offer(bytes: number): Promise<Models> {
    const model = weights(bytes);
    const layer = model.slice();
    const other = mulberry32(12);
    const floats = new Float32Array(layer.buffer);
    const from = Math.floor(floats.length * 0.4);
    for (let i = 0; i < floats.length / 100; i++) floats[from + i] = other() - 0.5;
    const scattered = model.slice();
    const some = new Float32Array(scattered.buffer);
    for (let i = 0; i < some.length; i += 100) some[i] = other() - 0.5;
    const cut = (file: Bytes) => {
      const made = chunkFile("model.onnx", file);
      for (const [name, chunk] of made.blobs) blobs.set(name, chunk);
      return made.file.chunks;
    };
    const models = { full: cut(model), layer: cut(layer), scattered: cut(scattered) };
    const names = topics(site);
    for (const [sha256, chunk] of blobs) await bare.retain(names.blob(sha256), chunk);
    return models;
  },
  /** CPU seconds since it was asked before. */
  cpu(): number {
    const used = process.cpuUsage(cpuBefore);
    cpuBefore = process.cpuUsage();
    return (used.user + used.system) / 1e6;
  },
  async close(): Promise<void> {
    await broker.close();
    await bare.close();
  },
};
export type DeliveryServerTasks = typeof tasks;

serveTasks(tasks);
