/**
 * Backend on ONNX Runtime's WebAssembly build, inside the agent's own worker: no second worker (`proxy` off), and one
 * thread unless the page is cross-origin isolated, so that a strict CSP and ordinary hosting suffice.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { lintModel } from "@vedette/protocol/onnx/lint-model";
import { datatypeOfOnnx, onnxTypes, type TensorSpec } from "@vedette/protocol/tensors";
import { env, InferenceSession, Tensor as OrtTensor } from "onnxruntime-web/wasm";
import type { Backend, Session, Tensor, TensorData } from "../core/ports.ts";

export const runtimeVersion = env.versions.web ?? "unknown";
/** The folder, below the worker's, where the build puts ONNX Runtime's own two files. */
export const runtimeFolder = `ort-${runtimeVersion}/`;

/** @param assets URL of the folder that holds `ort-wasm-simd-threaded.{mjs,wasm}`. */
export function createOrtWebBackend(assets: URL): Backend {
  env.wasm.wasmPaths = assets.href;
  env.wasm.proxy = false;
  env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  warmUp();
  return {
    name: "wasm",
    async load(model) {
      lintModel(model);
      try {
        return openSession(await InferenceSession.create(model, { executionProviders: ["wasm"] }));
      } catch (cause) {
        if (cause instanceof VedetteError) throw cause;
        throw new VedetteError("invalid_model", `ONNX Runtime does not take the model: ${messageOf(cause)}`, { cause });
      }
    },
  };
}

/**
 * Compiling the runtime is most of the time to a first answer, so it begins while the page joins or reads what it kept.
 * It starts with the first model only: one of no bytes starts it, and is then refused.
 */
function warmUp(): void {
  InferenceSession.create(new Uint8Array(), { executionProviders: ["wasm"] }).catch(() => undefined);
}

function openSession(session: InferenceSession): Session {
  return {
    inputs: session.inputMetadata.flatMap(specOf),
    outputs: session.outputMetadata.flatMap(specOf),
    async run(inputs, outputs) {
      try {
        const feeds = Object.entries(inputs).map(([name, tensor]) => [name, toOrt(tensor)] as const);
        const results = await session.run(Object.fromEntries(feeds), [...outputs]);
        return Object.fromEntries(outputs.map((name) => [name, fromOrt(name, results[name])]));
      } catch (cause) {
        if (cause instanceof VedetteError) throw cause;
        throw new VedetteError("model_failed", `the model failed on these inputs: ${messageOf(cause)}`, { cause });
      }
    },
    release: () => session.release(),
  };
}

/** Sequences and maps (ZipMap) have no tensor spec: they are left out, and so never asked for. */
function specOf(metadata: InferenceSession.ValueMetadata): TensorSpec[] {
  const datatype = metadata.isTensor && datatypeOfOnnx(metadata.type);
  if (!metadata.isTensor || !datatype) return [];
  const shape = metadata.shape.map((size) => (typeof size === "number" && size >= 0 ? size : -1));
  return [{ name: metadata.name, datatype, shape }];
}

function toOrt({ datatype, shape, data }: Tensor): OrtTensor {
  return new OrtTensor(onnxTypes[datatype], data as OrtTensor.DataTypeMap[OrtTensor.Type], [...shape]);
}

function fromOrt(name: string, tensor: OrtTensor | undefined): Tensor {
  const datatype = tensor && datatypeOfOnnx(tensor.type);
  if (!datatype) throw new VedetteError("model_failed", `the model's output ${name} is no tensor`);
  // Where the browser has Float16Array the runtime uses it; halves are raw bits everywhere else in Vedette.
  const raw: unknown = tensor.data;
  const data = datatype === "FP16" && ArrayBuffer.isView(raw) ? new Uint16Array(raw.buffer) : raw;
  return { datatype, shape: [...tensor.dims], data: data as TensorData };
}
