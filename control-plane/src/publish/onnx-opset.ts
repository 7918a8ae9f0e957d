/**
 * Reads the one thing of an ONNX file that onnxruntime does not tell: the opset it needs. Walks the protobuf wire format
 * of ModelProto (field 8, opset_import {1: domain, 2: version}) and skips all else.
 */
import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";

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

interface Field {
  readonly number: number;
  readonly varint?: bigint;
  readonly bytes?: Uint8Array;
}

function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError("the message ends inside a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number is too long");
  };
  const take = (length: number): Uint8Array => {
    if (length > message.length - at) throw new RangeError("the message ends inside a field");
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    const wire = tag & 7;
    if (wire === 0) yield { number, varint: varint() };
    else if (wire === 2) yield { number, bytes: take(Number(varint())) };
    else if (wire === 1 || wire === 5) take(wire === 1 ? 8 : 4);
    else throw new RangeError(`wire type ${wire}`);
  }
}
