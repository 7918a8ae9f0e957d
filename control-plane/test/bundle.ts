/** A small bundle in tests: a manifest and the chunks it names. Its bytes are no model; nothing here runs it. */

import { createHash } from "node:crypto";
import { encodeManifest, type Manifest } from "@vedette/protocol/bundle";
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { identityPlanHash } from "@vedette/protocol/feature-plan";

export interface TestBundle {
  readonly model: string;
  readonly manifest: string;
  readonly digest: string;
  /** Bytes of the manifest. */
  readonly length: number;
  readonly chunks: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** @param content what makes this bundle differ from another. */
export function makeBundle(model: string, content: string, requires: Partial<Manifest["requires"]> = {}): TestBundle {
  const chunks = new Map<string, Uint8Array<ArrayBuffer>>();
  const file = (path: string, parts: string[]) => {
    const bytes = parts.map((part) => utf8(part));
    for (const part of bytes) chunks.set(sha256(part), part);
    return {
      path,
      sha256: sha256(Buffer.concat(bytes)),
      size: bytes.reduce((sum, part) => sum + part.length, 0),
      chunks: bytes.map((part) => ({ sha256: sha256(part), length: part.length })),
    };
  };
  const tensor = { name: "X", datatype: "FP32" as const, shape: [-1, 1] };
  const scores = { name: "probabilities", datatype: "FP32" as const, shape: [-1, 2] };
  const encoded = encodeManifest({
    format: "vedette.bundle/1",
    critical: [],
    model,
    createdAt: "2026-11-23T00:00:00Z",
    files: [
      file("model.onnx", [`${content} first half`, `${content} second half`]),
      file("reference.bin", ["reference"]),
      file("golden.json", ["{}"]),
    ],
    runtime: { file: "model.onnx", inputs: [tensor], outputs: [scores] },
    features: { plan: "identity", hash: identityPlanHash },
    input: {
      fields: [{ name: "wind", kind: "number", tensor: "X", column: 0, required: true, outOfRange: "count" }],
      tensors: [tensor],
    },
    output: {
      task: "classification",
      classes: ["dry", "rain"],
      scores: { tensor: "probabilities", activation: "none" },
      tensors: [scores],
    },
    drift: { file: "reference.bin", alpha: 0.01, windowRows: 200 },
    fallback: { cache: null, rules: null, confidenceFloor: null },
    golden: { file: "golden.json" },
    limits: { latencyMs: 20, memoryBytes: 1_000_000 },
    freshUntil: null,
    requires: { capability: 1, opset: 17, kernelAbi: 1, backends: ["node-cpu", "wasm"], ...requires },
    log: { inputs: "full" },
    lineage: { rows: 12, note: content },
  });
  return { model, manifest: fromUtf8(encoded), digest: sha256(encoded), length: encoded.length, chunks };
}
