/**
 * What is measured: a model in a real model slot: onnxruntime-node, the spool on this machine's disk, the drift kernels.
 * Everything but the network, as node-agent composes it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createOrtBackend,
  createThreadPacker,
  nodeCrypto,
  type OrtBackendOptions,
  openDeviceKey,
  openFsStorage,
  systemClock,
  systemRandom,
  zstdCompressor,
} from "@vedette/edge-agent/node";
import { coarse, driftFeatures } from "@vedette/protocol/drift-features";
import type { Kernels } from "@vedette/wasm-kernels";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import type { Agent } from "../../edge-agent/src/core/agent.ts";
import { openPredictionLog, type PredictionLog } from "../../edge-agent/src/core/log/prediction-log.ts";
import type { Logger } from "../../edge-agent/src/core/ports.ts";
import { createModelSlot, type ModelSlot } from "../../edge-agent/src/core/serve/model-slot.ts";
import type { ServingVersion } from "../../edge-agent/src/core/serve/serving-version.ts";
import { openDriftOutbox } from "../../edge-agent/src/core/watch/drift-outbox.ts";
import { createDriftWatch } from "../../edge-agent/src/core/watch/drift-watch.ts";
import { sensorRows } from "./inputs.ts";
import { type BenchModel, mlp, modelName } from "./serving/models.ts";

/** Rows that may run together: the agent's own default. */
export const batch = 32;

/** Predictions in batches, and the bytes of their frames. */
export interface Written {
  readonly rows: number;
  readonly bytes: number;
}

export interface ServedModel {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly version: ServingVersion & { readonly session: { readonly thread: "worker" | "main" } };
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

/** The model of the budgets, on the main thread. */
export async function openServedMlp(): Promise<ServedModel> {
  // A machine with much else to do must not make this a measurement of threads: the model always moves to the main one.
  const served = await openServedModel(mlp, { mainThreadLoadMs: 60_000, mainThreadRunMs: 1000 });
  const rows = sensorRows(1);
  while (served.version.session.thread === "worker") await served.slot.predict({ model: modelName, rows });
  return served;
}

/** @param placement where the session runs; as an agent places it where not said. */
export async function openServedModel(
  bench: BenchModel,
  placement: Partial<OrtBackendOptions> = {},
): Promise<ServedModel> {
  const home = await mkdtemp(join(tmpdir(), "vedette-bench-"));
  const schedule = (call: () => void): void => void setImmediate(call);
  const storage = await openFsStorage(home);
  const packer = createThreadPacker(warningsOnly);
  const key = await openDeviceKey(join(home, "device.key"));
  const ports = {
    key,
    crypto: nodeCrypto,
    clock: systemClock,
    random: systemRandom,
    storage,
    compressor: zstdCompressor,
    packer,
    log: warningsOnly,
  };
  const log = await openPredictionLog({ agent: "bench-1", stream: modelName, ports });
  const model = bench.file();
  const session = await createOrtBackend(warningsOnly, placement).load(model);
  const kernels = await loadKernelsNode();
  const { manifest } = bench;
  const digest = "d".repeat(64);
  const reference = kernels.openReference(referenceOf(kernels, bench));
  const outbox = await openDriftOutbox({ ports, publish: async () => {} });
  const keep = outbox.of(modelName, digest, kernels.abi);
  const drift = createDriftWatch({ reference, manifest, keep, clock: systemClock, schedule });
  const version = { digest, release: 7, manifest, session, drift };
  const slot = createModelSlot({ model: modelName, ports, log, schedule });
  await slot.use(version);

  return {
    model,
    version,
    slot,
    log,
    async settle() {
      await log.cut();
      const waiting = [...log.batches.waiting];
      await log.batches.drop(waiting.map((one) => one.key));
      return waiting.reduce(
        (sum, { firstN, nextN, bytes }) => ({ rows: sum.rows + nextN - firstN, bytes: sum.bytes + bytes }),
        { rows: 0, bytes: 0 },
      );
    },
    async close() {
      await slot.use(null);
      await session.release();
      drift.close(false);
      await outbox.close();
      await log.close();
      await packer.close();
      await rm(home, { recursive: true });
    },
  };
}

/** Its inputs as they are measured with; its answers spread over all that they may be. */
function referenceOf(kernels: Kernels, bench: BenchModel): Uint8Array {
  const { manifest } = bench;
  const inputs = bench.reference();
  const features = driftFeatures(manifest);
  const fields = manifest.input.fields.length;
  const rows = Float32Array.from({ length: (inputs.length / fields) * features.length }, (_, i) => {
    const [row, f] = [Math.floor(i / features.length), i % features.length];
    const { source, spec } = features[f] as (typeof features)[number];
    if (source.kind === "input") return inputs[row * fields + source.place] as number;
    return spec.kind === "category" ? row % spec.known : coarse((row * 0.618) % 1);
  });
  const builder = kernels.newReferenceBuilder(features.map(({ spec }) => spec));
  builder.sample(rows);
  builder.count(rows);
  return builder.finish();
}

/** The slot as the way in sees it. */
export function agentOf({ slot, version }: ServedModel): Agent {
  const { digest, release, manifest } = version;
  const models = [{ name: modelName, version: { digest, release }, manifest }];
  return {
    id: "bench-1",
    predict: (request) => slot.predict(request),
    models: () => models,
    status() {
      throw new Error("the bench reports no status");
    },
    onChange: () => () => undefined,
    stop: async () => undefined,
  };
}
