/** Between the tensors of ports.ts and those of ONNX Runtime; plain data, so that a worker thread can be handed it. */

import { VedetteError } from "@vedette/protocol/errors";
import { datatypeOfOnnx, onnxTypes, type TensorSpec } from "@vedette/protocol/tensors";
import { type InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { Tensor, TensorData } from "../core/ports.ts";

export type Tensors = Readonly<Record<string, Tensor>>;

/** A tensor as ONNX Runtime takes it. FP16 are Uint16 bit patterns on our side. */
function toOrt(tensor: Tensor): OrtTensor {
  const type = onnxTypes[tensor.datatype];
  // The constructor's overloads name each pair of type and array; ours are pairs already.
  const Make = OrtTensor as unknown as new (type: OrtTensor.Type, data: unknown, dims: readonly number[]) => OrtTensor;
  const made = new Make(type, tensor.data, tensor.shape);
  // The constructor makes a Float16Array of halves, which the native side of onnxruntime-node 1.30 reads as empty.
  if (tensor.datatype === "FP16") Object.defineProperty(made, "data", { value: tensor.data });
  return made;
}

/** @throws VedetteError model_failed for a type the Open Inference Protocol has no name for. */
function fromOrt(name: string, tensor: OrtTensor): Tensor {
  const datatype = datatypeOfOnnx(tensor.type);
  if (!datatype) throw new VedetteError("model_failed", `output ${name} is ${tensor.type}, which cannot be served`);
  const data = tensor.data as TensorData & { buffer: ArrayBuffer; byteOffset: number; length: number };
  const plain = datatype === "FP16" ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data;
  return { datatype, shape: [...tensor.dims], data: plain };
}

/** The tensors of a session's signature; what is no tensor (ZipMap's maps) is left out, since it cannot be asked for. */
export function signature(values: readonly InferenceSession.ValueMetadata[]): TensorSpec[] {
  return values.flatMap((value) => {
    const datatype = value.isTensor ? datatypeOfOnnx(value.type) : undefined;
    if (!value.isTensor || !datatype) return [];
    return [{ name: value.name, datatype, shape: value.shape.map((size) => (typeof size === "number" ? size : -1)) }];
  });
}

/** Asks a session for the named outputs only. @throws VedetteError model_failed. */
export async function runSession(
  session: InferenceSession,
  inputs: Tensors,
  outputs: readonly string[],
): Promise<Tensors> {
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, toOrt(tensor)]));
  const answer = await session.run(feeds, [...outputs]);
  return Object.fromEntries(Object.entries(answer).map(([name, tensor]) => [name, fromOrt(name, tensor as OrtTensor)]));
}

/** One intra-op thread: more would spin on cores that the device's own work needs. */
export const sessionOptions: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  logSeverityLevel: 3,
};
