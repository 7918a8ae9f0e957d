/** The bundle of a "model" y = scale · x: for the simulated fleet and for the scripted peer of core's tests, both with stub backends. */
import type { Manifest } from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { identityPlanHash } from "@vedette/protocol/feature-plan";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * A file of a manifest, its chunks cut to one length.
 * @param keep takes each chunk by its hash.
 */
export function cutFile(
  path: string,
  text: string,
  chunkBytes: number,
  { sha256, keep }: { sha256: (bytes: Bytes) => string; keep: (name: string, bytes: Bytes) => void },
): Manifest["files"][number] {
  const bytes = utf8(text);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const part = bytes.slice(at, at + chunkBytes);
    keep(sha256(part), part);
    chunks.push({ sha256: sha256(part), length: part.length });
  }
  return { path, sha256: sha256(bytes), size: bytes.length, chunks };
}

/** golden.json of a model of this scale. */
export function linearGolden(scale: number): string {
  const close = { absolute: 1e-6, relative: 0 };
  return JSON.stringify({
    rows: [[1], [2], [3]],
    outputs: { y: [scale, 2 * scale, 3 * scale] },
    tolerance: { "node-cpu": close, wasm: close },
  });
}

/** @param said what differs; `files` are model.onnx, golden.json and reference.bin. */
export function linearManifest(
  said: Pick<Manifest, "model" | "createdAt" | "files"> & Partial<Pick<Manifest, "log">>,
): Manifest {
  const x = { name: "x", datatype: "FP32" as const, shape: [-1, 1] };
  const y = { name: "y", datatype: "FP32" as const, shape: [-1, 1] };
  return {
    format: "vedette.bundle/1",
    critical: [],
    runtime: { file: "model.onnx", inputs: [x], outputs: [y] },
    features: { plan: "identity", hash: identityPlanHash },
    input: {
      fields: [{ name: "x", kind: "number", tensor: "x", column: 0, required: true, outOfRange: "count" }],
      tensors: [x],
    },
    output: { task: "regression", value: { tensor: "y" }, tensors: [y] },
    drift: { file: "reference.bin", alpha: 0.01, windowRows: 50 },
    fallback: { cache: null, rules: null, confidenceFloor: null },
    golden: { file: "golden.json" },
    limits: { latencyMs: 50, memoryBytes: 1e9 },
    freshUntil: null,
    requires: { capability: 1, opset: 17, kernelAbi: 1, backends: ["node-cpu"] },
    log: { inputs: "full" },
    lineage: {},
    ...said,
  };
}
