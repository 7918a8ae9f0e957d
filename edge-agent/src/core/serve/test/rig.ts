/** A slot on memory ports with a session that a test scripts. */
import { type Manifest, manifest as manifestSchema } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { identityPlanHash } from "@vedette/protocol/feature-plan";
import {
  createManualClock,
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  plainCompressor,
} from "../../../sim/memory-ports.ts";
import { openPredictionLog } from "../../log/prediction-log.ts";
import type { Session, Tensor } from "../../ports.ts";
import { testCrypto, testKey } from "../../test/fake-peer.ts";
import { createModelSlot } from "../model-slot.ts";
import type { Outcome } from "../outcome.ts";
import type { ResponseCacheLimits } from "../response-cache.ts";
import type { ServingVersion } from "../serving-version.ts";

const sha256 = "ab".repeat(32);
const file = { path: "model.onnx", sha256, size: 1, chunks: [{ sha256, length: 1 }] };

/** A rain gauge of two fields and two classes; parts of it replaced. */
export function rainManifest(change: Record<string, unknown> = {}): Manifest {
  const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 2] }];
  const outputs = [{ name: "p", datatype: "FP32", shape: [-1, 2] }];
  const field = { kind: "number", tensor: "x", outOfRange: "count" };
  return manifestSchema.parse({
    format: "vedette.bundle/1",
    model: "rain-gauge",
    createdAt: "2026-01-01T00:00:00.000Z",
    files: [file],
    runtime: { file: "model.onnx", inputs, outputs },
    features: { plan: "identity", hash: identityPlanHash },
    input: {
      fields: [
        { ...field, name: "wind", column: 0, required: true, min: 0, max: 50 },
        { ...field, name: "temp", column: 1, required: false, min: -30, max: 60, outOfRange: "refuse" },
      ],
      tensors: inputs,
    },
    output: {
      task: "classification",
      classes: ["dry", "rain"],
      scores: { tensor: "p", activation: "none" },
      tensors: outputs,
    },
    drift: { file: "model.onnx", alpha: 0.01, windowRows: 50 },
    fallback: { cache: null, rules: null, confidenceFloor: null },
    golden: { file: "model.onnx" },
    limits: { latencyMs: 100, memoryBytes: 1 },
    freshUntil: null,
    requires: { capability: 1, opset: 17, kernelAbi: 1, backends: ["wasm"] },
    log: { inputs: "full" },
    lineage: {},
    ...change,
  });
}

/** How a scripted session behaves: the probability of rain is wind / 100. */
export interface Script {
  /** Rows of each run. */
  readonly runs: number[];
  /** ms a run takes by the manual clock; Infinity: it never ends. */
  takes: number;
  /** Runs that hold this wind throw; −1 for none. */
  poison: number;
  released: boolean;
}

export function scriptedVersion(
  clock: ReturnType<typeof createManualClock>,
  given: { release?: number; manifest?: Manifest; drift?: ServingVersion["drift"] } = {},
): ServingVersion & { script: Script } {
  const manifest = given.manifest ?? rainManifest();
  const script: Script = { runs: [], takes: 0, poison: -1, released: false };
  const session: Session = {
    inputs: manifest.runtime.inputs,
    outputs: manifest.runtime.outputs,
    async run(inputs) {
      if (script.released) throw new VedetteError("model_failed", "the session was released");
      const { data, shape } = inputs.x as Tensor;
      const x = data as Float32Array;
      const n = shape[0] as number;
      script.runs.push(n);
      if (script.takes > 0) {
        await new Promise<void>((resolve) => {
          if (Number.isFinite(script.takes)) clock.after(script.takes, resolve);
        });
      }
      const p = new Float32Array(2 * n);
      for (let i = 0; i < n; i++) {
        if (x[2 * i] === script.poison) throw new VedetteError("model_failed", "no wind like this");
        p[2 * i + 1] = (x[2 * i] as number) / 100;
        p[2 * i] = 1 - (p[2 * i + 1] as number);
      }
      return { p: { datatype: "FP32", shape: [n, 2], data: p } };
    },
    async release() {
      script.released = true;
    },
  };
  const release = given.release ?? 1;
  return { digest: String(release).repeat(64), release, manifest, session, drift: given.drift ?? null, script };
}

export async function slotRig(
  options: {
    lastKnown?: { manifest: Manifest };
    responseCache?: ResponseCacheLimits;
    schedule?: (call: () => void) => void;
  } = {},
) {
  const clock = createManualClock();
  const disk = createMemoryDisk();
  const logger = createMemoryLogger();
  const ports = {
    clock,
    log: logger,
    storage: disk.start(),
    random: createSeededRandom(1),
    compressor: plainCompressor,
    crypto: testCrypto,
    key: testKey,
  };
  const log = await openPredictionLog({ agent: "a1", stream: "rain-gauge", ports });
  const slot = createModelSlot({ model: "rain-gauge", ports, log, ...options });
  const outcomes: Outcome[] = [];
  slot.onPredictions((outcome) => outcomes.push(outcome));
  /** One request of winds and a temperature. */
  const ask = (winds: number | number[], more: { entity?: string; temp?: number } = {}) =>
    slot.predict({
      model: "rain-gauge",
      rows: Float32Array.from([winds].flat().flatMap((wind) => [wind, more.temp ?? 10])),
      ...(more.entity === undefined ? {} : { entity: more.entity }),
    });
  return { clock, disk, logger, log, slot, outcomes, ask };
}
