/** The models that servers are compared with: their graphs, made of seeded numbers, and what their bundles would say. */
import { type Manifest, manifest as manifestSchema } from "@vedette/protocol/bundle";
import { identityPlanHash } from "@vedette/protocol/feature-plan";
import { buildInputs } from "@vedette/protocol/input-rows";
import { mulberry32 } from "../../../fixtures/src/fleet/random.ts";
import { type Constant, type Node, writeModel } from "../../../fixtures/src/onnx/model-writer.ts";
import { mlpModel } from "../../../fixtures/src/onnx/models.ts";
import { fieldCount, imageSize, images, mlpLayers, sensorRows } from "../inputs.ts";

export const modelKinds = ["mlp", "trees", "conv"] as const;
export type ModelKind = (typeof modelKinds)[number];

export interface BenchModel {
  readonly kind: ModelKind;
  readonly title: string;
  /** What requests to it hold. */
  readonly inputs: "sensors" | "image";
  readonly manifest: Manifest;
  /** The bytes of its ONNX file: made at each call, since one of them has 30 MB. */
  file(): Uint8Array<ArrayBuffer>;
  /** Rows of the manifest's fields, as training data would have them. */
  reference(): Float32Array;
}

export const modelName = "pump";
export const classes = ["ok", "worn", "broken"];

const sensorFields = Array.from({ length: fieldCount }, (_, column) => ({
  name: `sensor${column}`,
  kind: "number",
  tensor: "X",
  column,
  required: true,
  min: -1000,
  max: 1000,
  outOfRange: "count",
}));
const summaries = (["mean", "std", "min", "max"] as const).map((statistic) => ({
  name: `image ${statistic}`,
  kind: "summary",
  tensor: "X",
  statistic,
  required: true,
  outOfRange: "count",
}));
const sensors = { name: "X", datatype: "FP32", shape: [-1, fieldCount] };
const image = { name: "X", datatype: "FP32", shape: [-1, 3, imageSize, imageSize] };
const scores = { name: "logits", datatype: "FP32", shape: [-1, classes.length] };
const classification = { task: "classification", classes, scores: { tensor: "logits", activation: "softmax" } };

/** Model (a), of which the budgets speak. */
export const mlp: BenchModel = {
  kind: "mlp",
  title: `MLP ${fieldCount}→64→64→${classes.length}`,
  inputs: "sensors",
  manifest: manifestOf({
    inputs: [sensors],
    outputs: [scores],
    fields: sensorFields,
    output: classification,
  }),
  file: () => mlpModel(mlpLayers([fieldCount, 64, 64, classes.length])),
  reference: () => sensorRows(4000, 2),
};

const value = { name: "variable", datatype: "FP32", shape: [-1, 1] };
const trees: BenchModel = {
  kind: "trees",
  title: "100 trees of depth 6",
  inputs: "sensors",
  manifest: manifestOf({
    inputs: [sensors],
    outputs: [value],
    fields: sensorFields,
    output: { task: "regression", value: { tensor: "variable" } },
  }),
  file: () => treesModel(100, 6),
  reference: () => sensorRows(4000, 2),
};

const conv: BenchModel = {
  kind: "conv",
  title: `conv net of 3.8 GFLOP and 30 MB, input 3×${imageSize}×${imageSize}`,
  inputs: "image",
  manifest: manifestOf({
    inputs: [image],
    outputs: [scores],
    fields: summaries,
    output: classification,
  }),
  file: convModel,
  reference() {
    const n = 200;
    const data = images(n, 2);
    const tensor = { datatype: "FP32", shape: [n, 3, imageSize, imageSize], data } as const;
    return Float32Array.from(buildInputs(this.manifest.input, n, () => null, { X: tensor }).rows);
  },
};

const models: Readonly<Record<ModelKind, BenchModel>> = { mlp, trees, conv };

export function benchModel(kind: ModelKind): BenchModel {
  return models[kind];
}

function manifestOf(parts: {
  inputs: readonly object[];
  outputs: readonly object[];
  fields: readonly object[];
  output: object;
}): Manifest {
  const { inputs, outputs, fields, output } = parts;
  const sha256 = "ab".repeat(32);
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
    input: { fields, tensors: inputs },
    output: { ...output, tensors: outputs },
    drift: { file: "drift.bin", alpha: 0.01, windowRows: 2000 },
    fallback: { cache: { maxAgeMs: 60_000 }, rules: null, confidenceFloor: null },
    golden: { file: "golden.json" },
    // Long, so that a machine that stalls gives slow rounds and not fallbacks.
    limits: { latencyMs: 10_000, memoryBytes: 1e9 },
    freshUntil: null,
    requires: { capability: 1, opset: 17, kernelAbi: 2, backends: ["node-cpu"] },
    log: { inputs: "full" },
    lineage: {},
  });
}

/** `X` float [N, fields] → `variable` float [N, 1]: whole trees, whose questions lie within what the sensors say. */
function treesModel(count: number, depth: number): Uint8Array<ArrayBuffer> {
  const random = mulberry32(11);
  const inner = 2 ** depth - 1;
  const all = 2 ** (depth + 1) - 1;
  const nodes = Array.from({ length: count * all }, (_, i) => {
    const node = i % all;
    const leaf = node >= inner;
    const feature = leaf ? 0 : Math.floor(random() * fieldCount);
    const threshold = leaf ? 0 : 10 + 5 * feature + (random() - 0.5) * 4;
    return { tree: Math.floor(i / all), node, leaf, feature, threshold };
  });
  const leaves = nodes.filter(({ leaf }) => leaf);
  const ensemble: Node = {
    op: "TreeEnsembleRegressor",
    domain: "ai.onnx.ml",
    inputs: ["X"],
    outputs: ["variable"],
    attributes: {
      n_targets: 1,
      nodes_treeids: { ints: nodes.map(({ tree }) => tree) },
      nodes_nodeids: { ints: nodes.map(({ node }) => node) },
      nodes_featureids: { ints: nodes.map(({ feature }) => feature) },
      nodes_modes: { strings: nodes.map(({ leaf }) => (leaf ? "LEAF" : "BRANCH_LEQ")) },
      nodes_values: { floats: nodes.map(({ threshold }) => threshold) },
      nodes_truenodeids: { ints: nodes.map(({ leaf, node }) => (leaf ? 0 : 2 * node + 1)) },
      nodes_falsenodeids: { ints: nodes.map(({ leaf, node }) => (leaf ? 0 : 2 * node + 2)) },
      target_treeids: { ints: leaves.map(({ tree }) => tree) },
      target_nodeids: { ints: leaves.map(({ node }) => node) },
      target_ids: { ints: leaves.map(() => 0) },
      target_weights: { floats: leaves.map(() => (random() - 0.5) / 10) },
    },
  };
  return writeModel(
    {
      name: "trees",
      inputs: [{ name: "X", type: "float", shape: ["N", fieldCount] }],
      outputs: [{ name: "variable", type: "float", shape: ["N", 1] }],
      constants: [],
      nodes: [ensemble],
    },
    { "": 17, "ai.onnx.ml": 3 },
  );
}

/** `X` float [N, 3, 64, 64] → `logits`: patches of 4×4 to 512 channels, four convolutions over 16×16 of them, the mean. */
function convModel(): Uint8Array<ArrayBuffer> {
  const random = mulberry32(13);
  const channels = 512;
  const constants: Constant[] = [];
  const nodes: Node[] = [];
  const weights = (name: string, shape: readonly number[], fanIn: number): string => {
    const spread = Math.sqrt(6 / fanIn);
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i++) values[i] = (2 * random() - 1) * spread;
    constants.push({ name, shape, data: { type: "float", values } });
    return name;
  };
  let from = "X";
  const convolve = (to: string, inputs: number, kernel: number, stride: number, pad: number): void => {
    const w = weights(`w-${to}`, [channels, inputs, kernel, kernel], inputs * kernel * kernel);
    const attributes = {
      kernel_shape: { ints: [kernel, kernel] },
      strides: { ints: [stride, stride] },
      pads: { ints: [pad, pad, pad, pad] },
    };
    nodes.push({ op: "Conv", inputs: [from, w], outputs: [`sum-${to}`], attributes });
    nodes.push({ op: "Relu", inputs: [`sum-${to}`], outputs: [to] });
    from = to;
  };
  convolve("patches", 3, 4, 4, 0);
  for (const to of ["one", "two", "three"]) convolve(to, channels, 3, 1, 1);
  convolve("mixed", channels, 1, 1, 0);
  nodes.push({ op: "GlobalAveragePool", inputs: [from], outputs: ["pooled"] });
  nodes.push({ op: "Flatten", inputs: ["pooled"], outputs: ["flat"], attributes: { axis: 1 } });
  nodes.push({
    op: "MatMul",
    inputs: ["flat", weights("w-head", [channels, classes.length], channels)],
    outputs: ["logits"],
  });
  return writeModel({
    name: "conv",
    inputs: [{ name: "X", type: "float", shape: ["N", 3, imageSize, imageSize] }],
    outputs: [{ name: "logits", type: "float", shape: ["N", classes.length] }],
    constants,
    nodes,
  });
}
