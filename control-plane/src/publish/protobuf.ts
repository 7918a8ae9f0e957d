/** The protobuf wire format, as far as ONNX files need it: fields in order, and back to bytes. Pure. */
import { concatBytes } from "@vedette/protocol/bytes";

export interface Field {
  readonly number: number;
  readonly varint?: bigint;
  readonly bytes?: Uint8Array;
  /** The whole field as it stood, tag and all. */
  readonly raw: Uint8Array;
}

/** The fields of a message, in order. @throws RangeError where the bytes are none. */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
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
    const start = at;
    const tag = Number(varint());
    const number = tag >>> 3;
    const wire = tag & 7;
    const raw = () => message.subarray(start, at);
    if (wire === 0) {
      const value = varint();
      yield { number, varint: value, raw: raw() };
    } else if (wire === 2) {
      const bytes = take(Number(varint()));
      yield { number, bytes, raw: raw() };
    } else if (wire === 1 || wire === 5) {
      take(wire === 1 ? 8 : 4);
      yield { number, raw: raw() };
    } else throw new RangeError(`wire type ${wire}`);
  }
}

/** A field of bytes: a text or a message. */
export function bytesField(number: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes([varintBytes(number * 8 + 2), varintBytes(bytes.length), bytes]);
}

export function varintField(number: number, value: number): Uint8Array<ArrayBuffer> {
  return concatBytes([varintBytes(number * 8), varintBytes(value)]);
}

function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Uint8Array.from([...bytes, rest]);
}
