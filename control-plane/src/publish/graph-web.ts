/** A graph as pages run it: onnxruntime-web's WebAssembly, one thread, here in Node. For the gate; only in a process of its own. */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { lintModel } from "@vedette/protocol/onnx/lint-model";
import { datatypeOfOnnx, onnxTypes, type Tensor, type TensorSpec } from "@vedette/protocol/tensors";
import { env, InferenceSession, Tensor as OrtTensor } from "onnxruntime-web/wasm";
import type { Graph } from "./graph.ts";
import { plainOutput } from "./plain-output.ts";

/** Compiles the runtime, which takes a second and a hundred MB that are no model's. */
export async function warmUpWeb(): Promise<void> {
  env.wasm.numThreads = 1;
  env.wasm.proxy = false;
  env.logLevel = "fatal";
  // It starts with the first model only: one of no bytes starts it, and is then refused.
  await InferenceSession.create(new Uint8Array()).catch(() => undefined);
}

/** @throws VedetteError invalid_model (refused by its lint, or the runtime cannot load it). */
export async function openWebGraph(model: Uint8Array): Promise<Graph> {
  const { opset, domains } = lintModel(model);
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(model, { executionProviders: ["wasm"], logSeverityLevel: 4 });
  } catch (cause) {
    throw new VedetteError("invalid_model", `onnxruntime-web cannot load the model: ${messageOf(cause)}`, { cause });
  }
  const outputs = session.outputMetadata.flatMap(specOf);
  return {
    opset,
    domains,
    inputs: session.inputMetadata.flatMap(specOf),
    outputs,
    async run(feeds) {
      try {
        const given = Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)] as const);
        const answers = await session.run(
          Object.fromEntries(given),
          outputs.map(({ name }) => name),
        );
        return Object.fromEntries(Object.entries(answers).map(([name, tensor]) => [name, plainOutput(tensor)]));
      } catch (cause) {
        throw new VedetteError("invalid_model", `the model fails on WebAssembly: ${messageOf(cause)}`, { cause });
      }
    },
    release: () => session.release(),
  };
}

/** Sequences and maps have no tensor spec: they are left out, and so never asked for. */
function specOf(meta: InferenceSession.ValueMetadata): TensorSpec[] {
  const datatype = meta.isTensor && datatypeOfOnnx(meta.type);
  if (!meta.isTensor || !datatype) return [];
  const shape = meta.shape.map((size) => (typeof size === "number" && size >= 0 ? size : -1));
  return [{ name: meta.name, datatype, shape }];
}

function toOrt({ datatype, shape, data }: Tensor): OrtTensor {
  return new OrtTensor(onnxTypes[datatype], data as OrtTensor.DataTypeMap[OrtTensor.Type], [...shape]);
}
