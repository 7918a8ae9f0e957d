/**
 * What is known of a graph's tensors without running it: shapes, small values, and whether a request's values decide
 * them. A few bytes of ONNX can ask for any amount of memory; `lint-model.ts` refuses those that say so here. What is not
 * known here (a varying dimension counts as 1) is left to the proof, which has a memory limit.
 */
import type { OnnxGraph, OnnxNode, OnnxTensor } from "./read-model.ts";

export interface Known {
  /** Null where nothing is known; null a dimension that varies. */
  readonly shape: readonly (number | null)[] | null;
  /** Row-major, of small tensors. */
  readonly values: readonly number[] | null;
  /** The request's own values flow in, by another way than the shapes of its tensors. */
  readonly asked: boolean;
  /** Made of stored tensors alone: computed, and kept, when the model is loaded. */
  readonly fixed: boolean;
}
export type Scope = Map<string, Known>;

/** Values that are followed. */
const maxValues = 64;
const nothing: Known = { shape: null, values: null, asked: false, fixed: true };

/** Elements a row; unknown dimensions count once. */
export function elementsOf({ shape }: Known): number {
  return (shape ?? []).reduce<number>((product, size) => product * (size ?? 1), 1);
}

/** What a graph's own inputs and stored tensors tell. @param outer of the graph around it. */
export function openScope(graph: OnnxGraph, outer: Scope | undefined): Scope {
  const scope: Scope = new Map(outer);
  for (const [i, { name, shape }] of graph.inputs.entries()) {
    // The first input of a body counts its rounds, which are bounded elsewhere.
    scope.set(name, { shape, values: null, asked: !(outer && i === 0), fixed: false });
  }
  for (const each of graph.initializers) scope.set(each.name, knownOf(each));
  return scope;
}

export function knownOf({ dims, small }: OnnxTensor): Known {
  return { shape: dims, values: small && small.length <= maxValues ? small : null, asked: false, fixed: true };
}

/** What these answer is as large as the request, whatever its values are. */
const shapeReaders = ["Shape", "Size", "SequenceLength"];

/** What is known of a node's first output; of the others only that their origin is the same. */
export function infer(node: OnnxNode, scope: Scope): Known {
  const inputs = node.inputs.map((name) => scope.get(name) ?? nothing);
  const fixed = inputs.every((input) => input.fixed) && node.attributes.every(({ graphs }) => graphs.length === 0);
  if (node.op === "Constant") return constant(node);
  const asked = shapeReaders.includes(node.op) ? false : inputs.some((input) => input.asked);
  const { shape = null, values = null } = rules[node.op]?.(inputs, node) ?? {};
  return { shape, values: values && values.length <= maxValues ? values : null, asked, fixed };
}

/** Inputs by which an operator says how large its output is. */
export const sizeInputs: Readonly<Record<string, readonly number[]>> = {
  ConstantOfShape: [0],
  Expand: [1],
  Tile: [1],
  Range: [0, 1, 2],
  Pad: [1],
  Resize: [2, 3],
  Upsample: [1],
  OneHot: [1],
  CenterCropPad: [1],
  BlackmanWindow: [0],
  HannWindow: [0],
  HammingWindow: [0],
  MelWeightMatrix: [0, 1],
};

type Shape = readonly (number | null)[];
interface Inferred {
  readonly shape?: Shape | null;
  readonly values?: readonly number[] | null;
}
type Rule = (inputs: readonly Known[], node: OnnxNode) => Inferred;

const same: Rule = ([x = nothing]) => ({ shape: x.shape, values: x.values });
/** The values stay, in another shape that is not followed. */
const reshaped: Rule = ([x = nothing]) => ({ shape: x.values ? [x.values.length] : null, values: x.values });
const broadcast: Rule = (inputs) => ({ shape: inputs.reduce<Shape | null>((all, { shape }) => joint(all, shape), []) });
const arithmetic =
  (compute: (a: number, b: number) => number): Rule =>
  (inputs, node) => {
    const [a, b] = [inputs[0]?.values, inputs[1]?.values];
    const values = a && b && (a.length === b.length || a.length === 1 || b.length === 1) ? pairs(a, b, compute) : null;
    return { ...broadcast(inputs, node), values };
  };
const sized: Rule = ([size = nothing]) => ({ shape: size.values });

const unary =
  "Abs Acos Asin Atan Ceil Clip Cos Dropout Elu Erf Exp Floor Gelu HardSigmoid Identity IsNaN LeakyRelu Log Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax Softplus Sqrt Tan Tanh";
const pairwise =
  "And BitwiseAnd BitwiseOr Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Or Pow Sum Where Xor";
const rules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(unary.split(" ").map((op) => [op, same])),
  ...Object.fromEntries(pairwise.split(" ").map((op) => [op, broadcast])),
  Cast: same,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic((a, b) => Math.trunc(a / b)),
  Shape: ([x = nothing], node) => {
    const shape = x.shape?.slice(intOf(node, "start", 0), attribute(node, "end")?.ints[0]) ?? null;
    return { shape: shape && [shape.length], values: shape?.every((size) => size !== null) ? shape : null };
  },
  Reshape: ([x = nothing, to = nothing]) => ({
    shape: to.values?.every((size) => size > 0) ? to.values : x.values ? [x.values.length] : null,
    values: x.values,
  }),
  Gather: ([from = nothing, at = nothing]) => ({
    values:
      from.values && at.values && from.shape?.length === 1
        ? at.values.map((i) => from.values?.at(i) ?? Number.NaN)
        : null,
  }),
  Concat: (inputs, node) => {
    const values = inputs.every((input) => input.values) ? inputs.flatMap((input) => [...(input.values ?? [])]) : null;
    return { shape: concatenated(inputs, intOf(node, "axis", 0)), values };
  },
  Transpose: ([x = nothing]) => ({ shape: x.shape && [...x.shape].reverse() }), // in any order: their product counts
  MatMul: ([a = nothing, b = nothing]) => ({ shape: product(a.shape, b.shape, false, false) }),
  Gemm: ([a = nothing, b = nothing], node) => ({
    shape: product(a.shape, b.shape, intOf(node, "transA", 0) === 1, intOf(node, "transB", 0) === 1),
  }),
  ConstantOfShape: sized,
  BlackmanWindow: sized,
  HannWindow: sized,
  HammingWindow: sized,
  MelWeightMatrix: (inputs) => ({ shape: inputs.slice(0, 2).map((input) => input.values?.[0] ?? null) }),
  Expand: ([x = nothing, to = nothing]) => ({ shape: joint(x.shape, to.values) ?? to.values }),
  Tile: ([x = nothing, times = nothing]) => ({
    shape: times.values?.map((time, i) => (x.shape?.[i] ?? 1) * time) ?? null,
  }),
  Range: ([from = nothing, to = nothing, by = nothing]) => {
    const [a, b, c] = [from.values?.[0], to.values?.[0], by.values?.[0]];
    if (a === undefined || b === undefined || c === undefined) return { shape: [null] };
    return { shape: [c === 0 ? Number.POSITIVE_INFINITY : Math.max(0, Math.ceil((b - a) / c))] };
  },
  Pad: ([x = nothing, pads = nothing], node) => {
    const amounts = pads.values ?? attribute(node, "pads")?.ints ?? [];
    const rank = amounts.length / 2;
    const shape = x.shape?.length === rank ? x.shape : Array<null>(rank).fill(null);
    return { shape: shape.map((size, i) => (size ?? 1) + (amounts[i] ?? 0) + (amounts[i + rank] ?? 0)) };
  },
  Resize: ([x = nothing, , scales = nothing, sizes = nothing]) => ({
    shape: sizes.values ?? scaled(x.shape, scales.values),
  }),
  Upsample: ([x = nothing, scales = nothing], node) => ({
    shape: scaled(x.shape, scales.values ?? attribute(node, "scales")?.floats ?? null),
  }),
  OneHot: ([x = nothing, depth = nothing]) => ({ shape: [...(x.shape ?? []), depth.values?.[0] ?? null] }),
  CenterCropPad: ([, to = nothing]) => ({ shape: to.values }),
};

function constant(node: OnnxNode): Known {
  const tensor = node.attributes.flatMap((each) => each.tensors)[0];
  if (tensor) return knownOf(tensor);
  const value = node.attributes.find((each) => each.name.startsWith("value"));
  const values = value?.name.startsWith("value_float") ? value.floats : (value?.ints ?? []);
  return { shape: value?.name.endsWith("s") ? [values.length] : [], values, asked: false, fixed: true };
}

function attribute(node: OnnxNode, name: string) {
  return node.attributes.find((each) => each.name === name);
}

function intOf(node: OnnxNode, name: string, otherwise: number): number {
  return attribute(node, name)?.ints[0] ?? otherwise;
}

function pairs(a: readonly number[], b: readonly number[], compute: (a: number, b: number) => number): number[] {
  const length = Math.max(a.length, b.length);
  const at = (of: readonly number[], i: number) => of[of.length === 1 ? 0 : i] as number;
  return Array.from({ length }, (_, i) => compute(at(a, i), at(b, i)));
}

/** The shape that two broadcast to, by the larger of each pair of sizes. */
function joint(a: Shape | null, b: Shape | null): Shape | null {
  if (!a || !b) return null;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [at(a, i - rank + a.length), at(b, i - rank + b.length)];
    return x === null || y === null ? larger(x, y) : Math.max(x, y);
  });
}
const at = (shape: Shape, i: number): number | null => (i < 0 ? 1 : (shape[i] ?? null));
const larger = (x: number | null, y: number | null): number | null => ((x ?? y ?? 1) > 1 ? (x ?? y) : null);

function concatenated(inputs: readonly Known[], axis: number): Shape | null {
  const first = inputs[0]?.shape;
  if (!first || inputs.some(({ shape }) => shape?.length !== first.length)) return null;
  const along = axis < 0 ? axis + first.length : axis;
  return first.map((size, i) =>
    i === along ? inputs.reduce<number>((sum, { shape }) => sum + (shape?.[i] ?? 1), 0) : size,
  );
}

function product(a: Shape | null, b: Shape | null, transA: boolean, transB: boolean): Shape | null {
  if (!a || !b || a.length < 1 || b.length < 1) return null;
  const rows = (a.length > 1 ? a.at(transA ? -1 : -2) : 1) ?? null;
  const columns = (b.length > 1 ? b.at(transB ? -2 : -1) : 1) ?? null;
  return [...(joint(a.slice(0, -2), b.slice(0, -2)) ?? []), rows, columns];
}

function scaled(shape: Shape | null, scales: readonly number[] | null): Shape | null {
  return scales && scales.length > 0 ? scales.map((scale, i) => (shape?.[i] ?? 1) * scale) : null;
}
