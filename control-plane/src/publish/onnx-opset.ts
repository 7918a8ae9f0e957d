/**
 * Reads the one thing of an ONNX file that onnxruntime does not tell: the opset it needs. Walks the protobuf wire format
 * of ModelProto (field 8, opset_import {1: domain, 2: version}) and skips all else.
 */
import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { fieldsOf } from "./protobuf.ts";

/**
 * Version of the default operator set; 1 where only others are named, as by XGBoost's converter.
 * @throws VedetteError invalid_model where the bytes are no ONNX file.
 */
export function readOpset(model: Uint8Array): number {
  let others = false;
  try {
    for (const field of fieldsOf(model)) {
      if (field.number !== 8 || field.bytes === undefined) continue;
      const parts = [...fieldsOf(field.bytes)];
      const domain = fromUtf8(parts.find((part) => part.number === 1)?.bytes ?? new Uint8Array());
      const version = Number(parts.find((part) => part.number === 2)?.varint ?? 0n);
      if (isDefault(domain) && version >= 1) return version;
      others ||= !isDefault(domain);
    }
  } catch (cause) {
    throw new VedetteError("invalid_model", "the model is no ONNX file, or it is cut short: export it again", {
      cause,
    });
  }
  if (others) return 1;
  throw new VedetteError("invalid_model", "the model names no version of the ONNX operators: export it again");
}

/** Whether a domain is the one of ONNX's own operators. */
export function isDefault(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}
