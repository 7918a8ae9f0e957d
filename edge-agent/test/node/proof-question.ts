/** A signed claim, and any file in the place of its model: variable = 2a − 3b + 0.5. */
import type { Manifest } from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { identityPlanHash } from "@vedette/protocol/feature-plan";
import type { ProofQuestion } from "../../src/core/ports.ts";

/** @param change what the manifest says otherwise. */
export function proofQuestion(
  model: Uint8Array<ArrayBuffer>,
  change: (manifest: Manifest) => Manifest = (manifest) => manifest,
): ProofQuestion {
  const inputs = [{ name: "X", datatype: "FP32" as const, shape: [-1, 2] }];
  const outputs = [{ name: "variable", datatype: "FP32" as const, shape: [-1, 1] }];
  const field = { kind: "number" as const, tensor: "X", required: true, outOfRange: "count" as const };
  const file = (path: string) => ({ path, sha256: "0".repeat(64), size: 0, chunks: [] });
  const tolerance = { absolute: 1e-5, relative: 1e-4 };
  const golden = {
    rows: [
      [1, 2],
      [0, 0],
    ],
    outputs: { variable: [-3.5, 0.5] },
    tolerance: { "node-cpu": tolerance },
  };
  const manifest: Manifest = {
    format: "vedette.bundle/1",
    critical: [],
    model: "linear",
    createdAt: "2026-01-01T00:00:00Z",
    files: ["model.onnx", "golden.json", "reference.bin"].map(file),
    runtime: { file: "model.onnx", inputs, outputs },
    features: { plan: "identity", hash: identityPlanHash },
    input: { fields: ["a", "b"].map((name, column) => ({ ...field, name, column })), tensors: inputs },
    output: { task: "regression", value: { tensor: "variable" }, tensors: outputs },
    drift: { file: "reference.bin", alpha: 0.01, windowRows: 50 },
    fallback: { cache: null, rules: null, confidenceFloor: null },
    golden: { file: "golden.json" },
    limits: { latencyMs: 1_000, memoryBytes: 512 * 2 ** 20 },
    freshUntil: null,
    requires: { capability: 1, opset: 17, kernelAbi: 2, backends: ["node-cpu"] },
    log: { inputs: "full" },
    lineage: {},
  };
  return { manifest: change(manifest), files: { "model.onnx": model, "golden.json": utf8(JSON.stringify(golden)) } };
}
