/** Outputs of a graph as plain numbers and texts, whichever runtime made them. Pure. */
import { fromHalf } from "@vedette/protocol/halves";
import type { Output } from "./graph.ts";

/** @param tensor as onnxruntime's packages hand it out: halves as two bytes each, under whatever name of array. */
export function plainOutput(tensor: { type: string; dims: readonly number[]; data: unknown }): Output {
  const { type, dims: shape, data } = tensor;
  if (type === "string") return { shape, data: data as string[] };
  if (type === "float16") {
    const { buffer, byteOffset, length } = data as Uint16Array;
    return { shape, data: Array.from(new Uint16Array(buffer, byteOffset, length), fromHalf) };
  }
  return { shape, data: Array.from(data as ArrayLike<number | bigint>, Number) };
}
