/**
 * What is measured: an MLP 16→64→64→3 in a real model slot: onnxruntime-node, the spool on this machine's disk, the
 * drift kernels. Everything but the network, as node-agent composes it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createOrtBackend,
  nodeCrypto,
  openDeviceKey,
  openFsStorage,
  systemClock,
  systemRandom,
  zstdCompressor,
} from "@vedette/edge-agent/node";
import { type Manifest, manifest as manifestSchema } from "@vedette/protocol/bundle";
import { identityPlanHash } from "@vedette/protocol/feature-plan";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { openPredictionLog, type PredictionLog } from "../../edge-agent/src/core/log/prediction-log.ts";
import type { Compressor, Logger } from "../../edge-agent/src/core/ports.ts";
import { createModelSlot, type ModelSlot } from "../../edge-agent/src/core/serve/model-slot.ts";
import type { ServingVersion } from "../../edge-agent/src/core/serve/serving-version.ts";
import { createDriftWatch } from "../../edge-agent/src/core/watch/drift-watch.ts";
import { mlpModel } from "../../fixtures/src/onnx/models.ts";
import { fieldCount, mlpLayers, sensorRows } from "./inputs.ts";

export const modelName = "pump";
export const classes = ["ok", "worn", "broken"];
/** Head and signature. */
const frameHeadBytes = 184;
/** Rows that may run together: the agent's own default. */
export const batch = 32;

/** Predictions in batches, and the bytes of their frames. */
export interface Written {
  readonly rows: number;
  readonly bytes: number;
}

export interface ServedModel {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly version: ServingVersion;
  readonly slot: ModelSlot;
  readonly log: PredictionLog;
  /** Puts all rows in batches, says what these hold, and drops them, as if the control plane had stored them. */
  settle(): Promise<Written>;
  close(): Promise<void>;
}

const warningsOnly: Logger = {
  info: () => undefined,
  warn: (event, fields) => console.warn(event, fields),
  error: (event, fields) => console.error(event, fields),
};

function benchManifest(): Manifest {
  const sha256 = "ab".repeat(32);
  const inputs = [{ name: "X", datatype: "FP32", shape: [-1, fieldCount] }];
  const outputs = [{ name: "logits", datatype: "FP32", shape: [-1, classes.length] }];
  return manifestSchema.parse({
    format: "vedette.bundle/1",
    model: modelName,
    createdAt: "2026-01-01T00:00:00.000Z",
    files: ["model.onnx", "drift.bin", "golden.json"].map((path) => ({
      path,
      sha256,
      size: 1,
      chunks: [{ sha256, length: 1 }],
    })),
    runtime: { file: "model.onnx", inputs, outputs },
    features: { plan: "identity", hash: identityPlanHash },
    input: {
      fields: Array.from({ length: fieldCount }, (_, column) => ({
        name: `sensor${column}`,
        kind: "number",
        tensor: "X",
        column,
        required: true,
        min: -1000,
        max: 1000,
        outOfRange: "count",
      })),
      tensors: inputs,
    },
    output: {
      task: "classification",
      classes,
      scores: { tensor: "logits", activation: "softmax" },
      tensors: outputs,
    },
    drift: { file: "drift.bin", alpha: 0.01, windowRows: 2000 },
    fallback: { cache: { maxAgeMs: 60_000 }, rules: null, confidenceFloor: null },
    golden: { file: "golden.json" },
    // Long, so that a machine that stalls gives slow rounds and not fallbacks.
    limits: { latencyMs: 10_000, memoryBytes: 1e9 },
    freshUntil: null,
    requires: { capability: 1, opset: 17, kernelAbi: 1, backends: ["node-cpu"] },
    log: { inputs: "full" },
    lineage: {},
  });
}

export async function openServedModel(): Promise<ServedModel> {
  const home = await mkdtemp(join(tmpdir(), "vedette-bench-"));
  const schedule = (call: () => void): void => void setImmediate(call);
  const storage = await openFsStorage(home);
  let bytes = 0;
  const compressor: Compressor = {
    kind: zstdCompressor.kind,
    async compress(body) {
      const compressed = await zstdCompressor.compress(body);
      bytes += frameHeadBytes + compressed.length;
      return compressed;
    },
  };
  const key = await openDeviceKey(join(home, "device.key"));
  const ports = {
    key,
    crypto: nodeCrypto,
    clock: systemClock,
    random: systemRandom,
    storage,
    compressor,
    log: warningsOnly,
  };
  const log = await openPredictionLog({ agent: "bench-1", stream: modelName, ports });
  const manifest = benchManifest();
  const model = mlpModel(mlpLayers([fieldCount, 64, 64, classes.length]));
  // A machine with much else to do must not make this a measurement of threads: the model always moves to the main one.
  const backend = createOrtBackend(warningsOnly, { mainThreadLoadMs: 60_000, mainThreadRunMs: 1000 });
  const session = await backend.load(model);
  const kernels = await loadKernelsNode();
  const names = manifest.input.fields.map(({ name }) => name);
  const reference = kernels.openReference(kernels.buildReference(names, sensorRows(4000, 2)));
  const drift = createDriftWatch({ reference, manifest, schedule });
  const version: ServingVersion = { digest: "d".repeat(64), release: 7, manifest, session, drift };
  const slot = createModelSlot({ model: modelName, ports, log, schedule });
  await slot.use(version);

  const rows = sensorRows(1);
  while (session.thread === "worker") await slot.predict({ model: modelName, rows });

  return {
    model,
    version,
    slot,
    log,
    async settle() {
      await log.cut();
      const waiting = [...log.batches.waiting];
      await log.batches.drop(waiting.map((one) => one.key));
      const written = { rows: waiting.reduce((sum, { firstN, nextN }) => sum + nextN - firstN, 0), bytes };
      bytes = 0;
      return written;
    },
    async close() {
      await slot.use(null);
      await session.release();
      drift.free();
      await log.close();
      await rm(home, { recursive: true });
    },
  };
}
