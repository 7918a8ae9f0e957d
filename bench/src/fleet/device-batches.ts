/** Prediction batches as devices make them: by the agent's own log, over memory. The one place that knows how. */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { nodeCrypto, systemClock, systemRandom, zstdCompressor } from "@vedette/edge-agent/node";
import type { LoggedVersion } from "../../../edge-agent/src/core/log/logged-rows.ts";
import { openPredictionLog } from "../../../edge-agent/src/core/log/prediction-log.ts";
import type { DeviceKey } from "../../../edge-agent/src/core/ports.ts";
import { createMemoryDisk } from "../../../edge-agent/src/sim/memory-ports.ts";
import { fieldCount, sensorRows } from "../inputs.ts";

type Bytes = Uint8Array<ArrayBuffer>;
export interface DeviceBatches {
  readonly agent: string;
  readonly epoch: string;
  /** Frames 0, 1, 2 … */
  readonly frames: readonly Bytes[];
  readonly predictions: number;
}

export const stream = "pump";
/** With sensor-like inputs the frame has about 20 KB. */
const rowsPerBatch = 760;
const version: LoggedVersion = {
  digest: "ab".repeat(32),
  release: 1,
  classes: ["ok", "worn", "broken"],
  value: false,
  fields: Array.from({ length: fieldCount }, (_, i) => `sensor${i}`),
  wide: false,
  texts: [],
};
/** PKCS #8 of an Ed25519 key, before its 32 bytes (RFC 8410). */
const pkcs8Head = "302e020100300506032b657004220420";
/** One key for all devices here, the same in every process. */
export const benchKey: DeviceKey = keyOf(Buffer.alloc(32, 7));

function keyOf(seed: Buffer): DeviceKey {
  const der = Buffer.concat([Buffer.from(pkcs8Head, "hex"), seed]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKeyHex: spki.subarray(-32).toString("hex"),
    sign: async (message) => sign(null, message, key).toString("hex"),
  };
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
/** Requests of one tick. */
const together = 40;

/** @param seed two devices of one seed differ in name and epoch only. */
export async function makeBatches(agent: string, count: number, seed: number): Promise<DeviceBatches> {
  const storage = createMemoryDisk().start();
  const device = { clock: systemClock, random: systemRandom, crypto: nodeCrypto, key: benchKey, log: silent };
  const ports = { ...device, storage, compressor: zstdCompressor };
  // Cut by nothing but us.
  const limits = { batchBytes: 64 << 20, batchAgeMs: 3_600_000, reserveAhead: count * rowsPerBatch + 1 };
  const log = await openPredictionLog({ agent, stream, ports, limits });
  const rows = sensorRows(count * rowsPerBatch, seed);
  const answer = { source: "model", reason: null, cached: false, label: "ok", value: null } as const;
  for (let i = 0; i < count * rowsPerBatch; i += together) {
    await log.room(together);
    await log.append({
      firstN: log.reserve(together),
      version,
      time: Date.now(),
      groups: Array.from({ length: together }, (_, g) => {
        const at = i + g;
        const p = 0.4 + (rows[at * fieldCount] as number) / 100;
        const answers = [{ ...answer, confidence: p, scores: [p, 0.9 - p, 0.1] }];
        return { answers, rows: rows.subarray(at * fieldCount, (at + 1) * fieldCount), latency: 0.2 + (at % 7) / 50 };
      }),
    });
    if ((i + together) % rowsPerBatch === 0) await log.cut();
  }
  const frames: Bytes[] = [];
  for (const { key } of log.batches.waiting) {
    const frame = await log.batches.read(key);
    if (!frame) throw new Error(`batch ${key} of ${agent} is gone`);
    frames.push(frame);
  }
  await log.close();
  return { agent, epoch: log.epoch, frames, predictions: count * rowsPerBatch };
}
