/** An ONNX graph as publishing sees it: its signature, and its answers to tensors. Talks to onnxruntime-node. */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { lintModel } from "@vedette/protocol/onnx/lint-model";
import { datatypeOfOnnx, onnxTypes, type Tensor, type TensorSpec } from "@vedette/protocol/tensors";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { plainOutput } from "./plain-output.ts";

/** One output, flat and row-major; integers are numbers. */
export interface Output {
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}
export interface Graph {
  readonly opset: number;
  /** Domains of its operators. */
  readonly domains: readonly string[];
  /** Sizes of −1 are settled by whoever feeds them; the first is the rows. */
  readonly inputs: readonly TensorSpec[];
  /** As the graph declares them, all of them tensors; what it answers may have other shapes. */
  readonly outputs: readonly TensorSpec[];
  /** @throws VedetteError invalid_model where the graph cannot be run on them. */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Output>>>;
  release(): Promise<void>;
}

/**
 * @throws VedetteError invalid_model (refused by its lint, or onnxruntime cannot load it), unsupported (inputs or outputs no agent can carry; the
 * message says how to export instead).
 */
export async function openGraph(model: Uint8Array): Promise<Graph> {
  const { opset, domains } = lintModel(model);
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 4 });
  } catch (cause) {
    throw new VedetteError("invalid_model", `onnxruntime cannot load the model: ${messageOf(cause)}`, { cause });
  }
  const inputs = session.inputMetadata.map(inputSpec);
  const outputs = session.outputMetadata.map(outputSpec);
  return {
    opset,
    domains,
    inputs,
    outputs,
    async run(feeds) {
      try {
        const answers = await session.run(
          Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)])),
          outputs.map((output) => output.name),
        );
        return Object.fromEntries(Object.entries(answers).map(([name, tensor]) => [name, plainOutput(tensor)]));
      } catch (cause) {
        throw new VedetteError("invalid_model", `the model fails on the reference data: ${messageOf(cause)}`, {
          cause,
        });
      }
    },
    release: () => session.release(),
  };
}

function inputSpec(meta: InferenceSession.ValueMetadata): TensorSpec {
  const { name } = meta;
  const datatype = meta.isTensor ? datatypeOfOnnx(meta.type) : undefined;
  if (!meta.isTensor || datatype === undefined) {
    const what = meta.isTensor ? meta.type : "not a tensor";
    throw new VedetteError(
      "unsupported",
      `input "${name}" is ${what}, which the Open Inference Protocol has no name for: put a Cast from another type first in the graph`,
    );
  }
  const shape = meta.shape.map((size) => (typeof size === "number" && size > 0 ? size : -1));
  if (shape.length < 1 || (datatype === "BYTES" && shape.length > 2)) {
    throw new VedetteError(
      "unsupported",
      `input "${name}" has ${shape.length} dimensions; agents carry rows: export it as [batch, ${datatype === "BYTES" ? "columns" : "…"}]`,
    );
  }
  return { name, datatype, shape };
}

function outputSpec(meta: InferenceSession.ValueMetadata): TensorSpec {
  const datatype = meta.isTensor ? datatypeOfOnnx(meta.type) : undefined;
  if (meta.isTensor && datatype) {
    return { name: meta.name, datatype, shape: meta.shape.map((size) => (typeof size === "number" ? size : -1)) };
  }
  throw new VedetteError(
    "unsupported",
    `output "${meta.name}" is ${meta.isTensor ? meta.type : "a sequence or map that is no ZipMap"}, and no tensor that can be served: export the model without it`,
  );
}

function toOrt({ datatype, shape, data }: Tensor): OrtTensor {
  // The constructor's overloads name each pair of type and array; ours are pairs already.
  const Make = OrtTensor as unknown as new (type: string, data: unknown, dims: readonly number[]) => OrtTensor;
  const made = new Make(onnxTypes[datatype], data, shape);
  // The constructor makes a Float16Array of halves, which the native side of onnxruntime-node 1.30 reads as empty.
  if (datatype === "FP16") Object.defineProperty(made, "data", { value: data });
  return made;
}
