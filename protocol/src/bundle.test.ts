import { expect, test } from "vitest";
import { encodeManifest, type Manifest, parseManifest } from "./bundle.ts";
import { fromUtf8 } from "./bytes.ts";
import { currentCapability } from "./capability.ts";
import { identityPlanHash } from "./feature-plan.ts";

const sha256 = "cd".repeat(32);
const manifest: Manifest = {
  format: "vedette.bundle/1",
  critical: [],
  model: "rain-gauge",
  createdAt: "2026-11-23T00:00:00.000Z",
  files: ["model.onnx", "reference.bin", "golden.json"].map((path) => ({
    path,
    sha256,
    size: 5,
    chunks: [{ sha256, length: 5 }],
  })),
  runtime: {
    file: "model.onnx",
    inputs: [{ name: "X", datatype: "FP32", shape: [-1, 1] }],
    outputs: [{ name: "probabilities", datatype: "FP32", shape: [-1, 2] }],
  },
  features: { plan: "identity", hash: identityPlanHash },
  input: {
    fields: [{ name: "wind", kind: "number", tensor: "X", column: 0, required: true, outOfRange: "count" }],
    tensors: [{ name: "X", datatype: "FP32", shape: [-1, 1] }],
  },
  output: {
    task: "classification",
    classes: ["dry", "rain"],
    scores: { tensor: "probabilities", activation: "none" },
    tensors: [{ name: "probabilities", datatype: "FP32", shape: [-1, 2] }],
  },
  drift: { file: "reference.bin", alpha: 0.01, windowRows: 200 },
  fallback: { cache: null, rules: null, confidenceFloor: null },
  golden: { file: "golden.json" },
  limits: { latencyMs: 20, memoryBytes: 1e8 },
  freshUntil: null,
  requires: { capability: currentCapability, opset: 17, kernelAbi: 1, backends: ["node-cpu", "wasm"] },
  log: { inputs: "full" },
  lineage: { rows: 10 },
};
const text = fromUtf8(encodeManifest(manifest));
/** A manifest as a forger may have it. */
interface Json {
  files: unknown[];
  input: { fields: unknown[] };
  output: { classes: unknown[] };
  golden: object;
}
const changed = (change: (json: Json) => void): string => {
  const json = JSON.parse(text);
  change(json);
  return JSON.stringify(json);
};

test("[M1] a manifest is canonical: the same content gives the same bytes, whatever the order of its fields", () => {
  const backwards = Object.fromEntries(Object.entries(manifest).reverse()) as Manifest;
  expect(fromUtf8(encodeManifest(backwards))).toBe(text);
  expect(parseManifest(text)).toEqual(manifest);
});

test("[M2] unknown fields are ignored, unless they are named critical", () => {
  expect(parseManifest(changed((json) => Object.assign(json, { explanations: {} })))).toEqual(manifest);
  expect(() => parseManifest(changed((json) => Object.assign(json, { critical: ["explanations"] })))).toThrow(
    /update this agent/,
  );
});

test("[M3] a file name cannot point outside the bundle, and chunks add up", () => {
  for (const path of ["../model.onnx", "/etc/passwd", "a/b", "..", ""]) {
    expect(() =>
      parseManifest(changed((json) => Object.assign(json, { files: [{ ...manifest.files[0], path }] }))),
    ).toThrow(/files\.0\.path/);
  }
  expect(() =>
    parseManifest(changed((json) => Object.assign(json, { files: [{ ...manifest.files[0], size: 6 }] }))),
  ).toThrow(/add up/);
});

test("[M2] a bundle of a newer format or capability says so, whatever else it holds", () => {
  const newer = { format: "vedette.bundle/2", requires: { capability: 99 }, critical: ["sealed"], other: 1 };
  const read = () => parseManifest(JSON.stringify(newer));
  expect(read).toThrow(expect.objectContaining({ code: "unsupported" }));
  expect(read).toThrow("sealed, format vedette.bundle/2, capability 99");
});

test("[M5] names within a manifest stand once, and the files it speaks of are there", () => {
  const wrong: [(json: Json) => void, RegExp][] = [
    [(json) => json.files.push(json.files[0]), /path model.onnx stands twice/],
    [(json) => json.input.fields.push(json.input.fields[0]), /field wind stands twice/],
    [(json) => json.output.classes.push("dry"), /class dry stands twice/],
    [(json) => Object.assign(json.golden, { file: "other.json" }), /golden.file: other.json is not among/],
  ];
  for (const [change, message] of wrong) expect(() => parseManifest(changed(change))).toThrow(message);
});

test("[M6] a model whose predictions could not be logged is no bundle", () => {
  const wide = changed((json) => {
    const fields = Array.from({ length: 1013 }, (_, i) => ({ ...manifest.input.fields[0], name: `f${i}`, column: i }));
    Object.assign(json, { input: { ...manifest.input, fields } });
  });
  expect(() => parseManifest(wide)).toThrow(/logged in 1026 columns, over 1024/);
});

test("[M4] a manifest that does not fit says where", () => {
  expect(() => parseManifest("{")).toThrow(/not JSON/);
  expect(() => parseManifest(changed((json) => Object.assign(json, { format: "other/9" })))).toThrow(/format/);
});
