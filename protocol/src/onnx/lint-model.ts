/**
 * Judges an ONNX file before any runtime sees it: publishing and every device run the same rules, so that a signed graph
 * is no reason to trust one. Pure. What cannot be told without running it is the proof's to find, in a process that may
 * be killed (`edge-agent` prove, `control-plane` graph-apart).
 */
import { VedetteError } from "../errors.ts";
import { operators, opsetRange } from "./operators.ts";
import { type OnnxGraph, type OnnxNode, type OnnxTensor, readModel } from "./read-model.ts";
import { elementsOf, infer, type Known, knownOf, openScope, type Scope, sizeInputs } from "./tensor-sizes.ts";

export interface LintLimits {
  /** Elements of one tensor, for one row of input; and of all tensors together that stored ones unfold into. */
  readonly maxElements: number;
  /** Rounds of a Loop, multiplied with those of the loops around it. */
  readonly maxRounds: number;
  readonly maxNodes: number;
}
export const lintLimits: LintLimits = { maxElements: 2 ** 25, maxRounds: 100_000, maxNodes: 200_000 };

export interface GraphFacts {
  /** Version of the default operator set. */
  readonly opset: number;
  /** Of its operators, sorted; "" is ai.onnx. */
  readonly domains: readonly string[];
  readonly nodes: number;
}

/** Bits of an element, by TensorProto.DataType; strings (8) have none. */
const widths: Readonly<Record<number, readonly number[]>> = {
  4: [21, 22, 23],
  8: [2, 3, 9, 17, 18, 19, 20, 24],
  16: [4, 5, 10, 16],
  32: [1, 6, 12],
  64: [7, 11, 13, 14],
  128: [15],
};
const bits: Readonly<Record<number, number>> = Object.fromEntries(
  Object.entries(widths).flatMap(([width, types]) => types.map((type) => [type, Number(width)])),
);

/** @throws VedetteError invalid_model: which node, which operator, what is wrong with it, and what to do. */
export function lintModel(bytes: Uint8Array, limits: LintLimits = lintLimits): GraphFacts {
  const { opsets, functions, training, graph } = readModel(bytes);
  if (opsets.size === 0) refuse("the model names no version of the ONNX operators", "export it again");
  // XGBoost's converter names only the operators of ai.onnx.ml, and uses no others.
  const opset = opsets.get("") ?? opsetRange.oldest;
  if (opset < opsetRange.oldest || opset > opsetRange.newest) {
    const range = `${opsetRange.oldest} to ${opsetRange.newest}`;
    refuse(`the model is of opset ${opset}, and devices run ${range}`, "export it with one of these");
  }
  if (!graph || graph.nodes.length === 0) refuse("the model has no graph with operators in it", "export it again");
  if (functions > 0) refuse("the model brings functions of its own", "inline them (onnx.inliner) and export it again");
  if (training > 0) refuse("the model brings a training graph", "export it for inference");
  const state = { nodes: 0, unfolded: 0, domains: new Set<string>() };
  lintGraph(graph, { limits, opsets, state, rounds: 1, outer: undefined });
  return { opset, domains: [...state.domains].sort(), nodes: state.nodes };
}

interface Context {
  readonly limits: LintLimits;
  readonly opsets: ReadonlyMap<string, number>;
  /** Counted over all graphs. */
  readonly state: { nodes: number; unfolded: number; readonly domains: Set<string> };
  readonly rounds: number;
  readonly outer: Scope | undefined;
}

function lintGraph(graph: OnnxGraph, context: Context): void {
  const { limits, state } = context;
  state.nodes += graph.nodes.length;
  if (state.nodes > limits.maxNodes) {
    refuse(`the model has more than ${limits.maxNodes} nodes`, "simplify the graph and export it again");
  }
  if (graph.sparseInitializers > 0) refuse("the model stores sparse tensors", "store them dense and export it again");
  for (const tensor of graph.initializers) lintTensor(tensor, `the stored tensor ${tensor.name}`);
  const scope = openScope(graph, context.outer);
  for (const node of graph.nodes) {
    lintOperator(node, context);
    const rounds = context.rounds * roundsOf(node, scope, limits);
    if (rounds > limits.maxRounds) {
      refuse(`${what(node)} goes round up to ${rounds} times, over ${limits.maxRounds}`, "unroll it or bound it lower");
    }
    for (const { tensors, graphs, sparse, name } of node.attributes) {
      if (sparse) refuse(`${what(node)} stores a sparse tensor`, "store it dense and export it again");
      for (const tensor of tensors) lintTensor(tensor, `attribute ${name} of ${what(node)}`);
      for (const body of graphs) lintGraph(body, { ...context, rounds, outer: scope });
    }
    lintSize(node, scope, context);
  }
}

function lintOperator(node: OnnxNode, { opsets, state }: Context): void {
  state.domains.add(node.domain);
  const known = operators.get(node.domain);
  if (!known) {
    const from = `is of the domain "${node.domain}", which no device has`;
    refuse(`${what(node)} ${from}`, "export it with operators of the ONNX standard");
  }
  if (!known.has(node.op)) {
    const why = "is not among the operators that devices run (deterministic, for inference)";
    refuse(`${what(node)} ${why}`, "export the model without it");
  }
  if (!opsets.has(node.domain)) {
    refuse(`${what(node)} is of the domain ${node.domain}, whose version the model does not name`, "export it again");
  }
}

/** Sizes must be those of the data: a reader that believes them would read beyond, or take memory for nothing. */
function lintTensor(tensor: OnnxTensor, where: string): void {
  const { dims, external, rawBytes, type, typedValues } = tensor;
  if (external !== undefined) {
    refuse(`${where} has its data outside the file (${external})`, "save the model as one file (no external data)");
  }
  if (dims.some((size) => size < 0)) refuse(`${where} has a negative dimension (${dims})`, "export it again");
  const elements = elementsOf(knownOf(tensor));
  const width = bits[type];
  if (width === undefined && type !== 8) refuse(`${where} is of an unknown type (${type})`, "export it again");
  if (rawBytes >= 0) {
    const bytes = Math.ceil((elements * (width ?? 0)) / 8);
    if (bytes !== rawBytes) {
      refuse(`${where} says [${dims}], which takes ${bytes} bytes, and has ${rawBytes}`, "export it again");
    }
    return;
  }
  // Complex numbers take two places each; below a byte, several share one.
  const places = type === 14 || type === 15 ? 2 * elements : elements;
  if (typedValues !== places && !((width ?? 8) < 8 && typedValues >= 0 && typedValues <= places)) {
    refuse(`${where} says [${dims}], which is ${elements} values, and has ${typedValues}`, "export it again");
  }
}

/** How often a node may run its bodies, as far as it is known. */
function roundsOf(node: OnnxNode, scope: Scope, limits: LintLimits): number {
  if (node.op !== "Loop") return 1;
  const bound = node.inputs[0] ? scope.get(node.inputs[0]) : undefined;
  if (!bound) {
    refuse(`${what(node)} has no bound on its rounds, and may never end`, "give it a trip count, or unroll it");
  }
  if (bound.asked) {
    const why = "takes the bound on its rounds from the values of a request, which may be any";
    refuse(`${what(node)} ${why}`, "bound it by a constant, or by the shape of an input");
  }
  const rounds = bound.values?.[0] ?? 1;
  return Number.isFinite(rounds) ? Math.max(1, rounds) : limits.maxRounds + 1;
}

function lintSize(node: OnnxNode, scope: Scope, { limits, state }: Context): void {
  for (const i of sizeInputs[node.op] ?? []) {
    const name = node.inputs[i];
    if (!name || !scope.get(name)?.asked) continue;
    const why = `takes the size of its output from the values of a request (${name}), which may be any`;
    refuse(`${what(node)} ${why}`, "give it a constant, or the shape of an input");
  }
  const result = infer(node, scope);
  const elements = elementsOf(result);
  // Written so that NaN does not pass.
  if (!(elements <= limits.maxElements)) {
    refuse(`${what(node)} makes a tensor of ${elements} elements, over ${limits.maxElements}`, "make it smaller");
  }
  if (result.fixed) state.unfolded += elements;
  if (state.unfolded > limits.maxElements) {
    const why = `with it, constants unfold into ${state.unfolded} elements, over ${limits.maxElements}`;
    refuse(`${what(node)}: ${why}`, "compute them from the input, or make them smaller");
  }
  const others: Known = { ...result, shape: null, values: null };
  for (const [i, name] of node.outputs.entries()) if (name !== "") scope.set(name, i === 0 ? result : others);
}

function what({ name, op, outputs }: OnnxNode): string {
  return `node ${name || outputs[0] || "?"} (${op})`;
}

function refuse(why: string, advice: string): never {
  throw new VedetteError("invalid_model", `${why}: ${advice}`);
}
