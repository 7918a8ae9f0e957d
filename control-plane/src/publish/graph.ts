/** An ONNX graph as publishing sees it: its signature, and its answers to rows of numbers. Talks to onnxruntime-node. */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { lintModel } from "@vedette/protocol/onnx/lint-model";
import {
  type Datatype,
  datatypeOfOnnx,
  type InputDatatype,
  inputDatatypes,
  isInputDatatype,
  type TensorSpec,
} from "@vedette/protocol/tensors";
import { InferenceSession, Tensor } from "onnxruntime-node";

/** Where a value of a row goes: column `column` of input `tensor`. */
export interface Place {
  readonly tensor: string;
  readonly column: number;
}
/** An input of a datatype that agents feed. */
interface InputSpec extends TensorSpec {
  readonly datatype: InputDatatype;
}
/** One output, flat and row-major; integers are numbers. */
export interface Output {
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}
export interface Graph {
  readonly opset: number;
  /** Domains of its operators. */
  readonly domains: readonly string[];
  /** [−1, width] or [−1]; a width of −1 is settled by whoever feeds it. */
  readonly inputs: readonly InputSpec[];
  /** Names of the outputs, all of them tensors. */
  readonly outputs: readonly { readonly name: string; readonly datatype: Datatype }[];
  /**
   * Answers `n` rows.
   * @param rows [n][places.length], NaN = missing.
   * @throws VedetteError invalid_model where the graph cannot be run on them.
   */
  run(rows: Float64Array, n: number, places: readonly Place[]): Promise<Readonly<Record<string, Output>>>;
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
    async run(rows, n, places) {
      const feeds = Object.fromEntries(inputs.map((input) => [input.name, feed(input, rows, n, places)]));
      try {
        const answers = await session.run(
          feeds,
          outputs.map((output) => output.name),
        );
        return Object.fromEntries(Object.entries(answers).map(([name, tensor]) => [name, plain(tensor)]));
      } catch (cause) {
        throw new VedetteError("invalid_model", `the model fails on the reference data: ${messageOf(cause)}`, {
          cause,
        });
      }
    },
    release: () => session.release(),
  };
}

function inputSpec(meta: InferenceSession.ValueMetadata): InputSpec {
  const { name } = meta;
  const type = meta.isTensor ? datatypeOfOnnx(meta.type) : undefined;
  if (!meta.isTensor || type === undefined || type === "BYTES") {
    const what = meta.isTensor ? meta.type : "not a tensor";
    throw new VedetteError(
      "unsupported",
      `input "${name}" is ${what}; agents carry numbers: encode the values before the model (for scikit-learn, keep the encoder outside the exported pipeline)`,
    );
  }
  if (!isInputDatatype(type)) {
    throw new VedetteError(
      "unsupported",
      `input "${name}" is ${type}; agents feed ${inputDatatypes.join(", ")}: put a Cast from one of these first in the graph`,
    );
  }
  const shape = meta.shape.map((size) => (typeof size === "number" && size > 0 ? size : -1));
  if (shape.length < 1 || shape.length > 2) {
    throw new VedetteError(
      "unsupported",
      `input "${name}" has ${shape.length} dimensions; agents carry rows of numbers: export it as [batch, features]`,
    );
  }
  if (shape[0] !== -1) {
    throw new VedetteError(
      "unsupported",
      `input "${name}" takes exactly ${shape[0]} rows; agents run what arrives together: export with a variable first dimension (dynamic_axes in PyTorch)`,
    );
  }
  return { name, datatype: type, shape };
}

function outputSpec(meta: InferenceSession.ValueMetadata): { name: string; datatype: Datatype } {
  if (!meta.isTensor) {
    throw new VedetteError(
      "unsupported",
      `output "${meta.name}" is a sequence or map (ZipMap), not a tensor: export with options={"zipmap": False} in skl2onnx`,
    );
  }
  return { name: meta.name, datatype: datatypeOfOnnx(meta.type) ?? "BYTES" };
}

function feed(input: InputSpec, rows: Float64Array, n: number, places: readonly Place[]): Tensor {
  const mine = places.flatMap(({ tensor, column }, from) => (tensor === input.name ? [{ column, from }] : []));
  const values = new Float64Array(n * mine.length);
  for (let row = 0; row < n; row++) {
    for (const { column, from } of mine)
      values[row * mine.length + column] = rows[row * places.length + from] as number;
  }
  const shape = input.shape.length === 1 ? [n] : [n, mine.length];
  switch (input.datatype) {
    case "FP32":
      return new Tensor("float32", Float32Array.from(values), shape);
    case "FP64":
      return new Tensor("float64", values, shape);
    case "INT64":
      return new Tensor(
        "int64",
        BigInt64Array.from(values, (value) => BigInt(Math.trunc(value))),
        shape,
      );
    case "INT32":
      return new Tensor("int32", Int32Array.from(values), shape);
  }
}

function plain(tensor: Tensor): Output {
  if (tensor.type === "string") return { shape: tensor.dims, data: tensor.data as string[] };
  return { shape: tensor.dims, data: Array.from(tensor.data as ArrayLike<number | bigint>, Number) };
}
