/**
 * Reads the one thing of an ONNX file that onnxruntime does not tell: the opset it needs. Walks the protobuf wire format
 * of ModelProto (field 8, opset_import {1: domain, 2: version}) and skips all else.
 */
import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { fieldsOf } from "./protobuf.ts";

/** Version of the default operator set. @throws VedetteError invalid_model where the bytes are no ONNX file. */
export function readOpset(model: Uint8Array): number {
  try {
    for (const field of fieldsOf(model)) {
      if (field.number !== 8 || field.bytes === undefined) continue;
      const parts = [...fieldsOf(field.bytes)];
      const domain = fromUtf8(parts.find((part) => part.number === 1)?.bytes ?? new Uint8Array());
      const version = Number(parts.find((part) => part.number === 2)?.varint ?? 0n);
      if ((domain === "" || domain === "ai.onnx") && version >= 1) return version;
    }
  } catch (cause) {
    throw new VedetteError("invalid_model", "the model is no ONNX file, or it is cut short: export it again", {
      cause,
    });
  }
  throw new VedetteError("invalid_model", "the model names no version of the ONNX operators: export it again");
}
