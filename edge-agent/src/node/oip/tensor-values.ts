/** The values of one tensor of a request, JSON or binary, as its datatype holds them: nothing is rounded but floats. */

import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { toHalf } from "@vedette/protocol/halves";
import { type Datatype, isInteger, numberBounds, type TensorData, tensorArrays } from "@vedette/protocol/tensors";
import type { InputTensor } from "./request.ts";

/** A list of values; null where it is missing. What reads it says whether it may be. */
type Values = TensorData | readonly (string | null)[];

/**
 * Nested or flat. Missing numbers (null) are NaN in float tensors; integers have none, and are refused. A missing text is null.
 * @throws VedetteError invalid_input naming the tensor, the value and what fits.
 */
export function readJson(tensor: InputTensor, count: number): TensorData {
  const { datatype } = tensor;
  const given = tensor.data.kind === "json" ? tensor.data.values : undefined;
  if (!Array.isArray(given)) throw invalid(tensor, "data is a list of values");
  const out = arrayFor(datatype, count);
  const put = putter(tensor, out);
  let at = 0;
  const take = (values: readonly unknown[], depth: number): void => {
    for (const value of values) {
      if (Array.isArray(value)) {
        if (depth >= tensor.shape.length) throw invalid(tensor, "its data is nested deeper than its shape");
        take(value, depth + 1);
      } else {
        if (at < count) put(value, at);
        at++;
      }
    }
  };
  take(given, 1);
  if (at !== count) throw wrongCount(tensor, `${at} values`, `${count}`);
  return out as TensorData;
}

function arrayFor(datatype: Datatype, count: number): Values {
  if (datatype === "BYTES") return new Array<string | null>(count).fill(null);
  return new tensorArrays[datatype](count);
}

function putter(tensor: InputTensor, out: Values): (value: unknown, at: number) => void {
  const { datatype } = tensor;
  if (datatype === "BYTES") {
    const texts = out as (string | null)[];
    return (value, at) => {
      if (typeof value !== "string" && value !== null) throw wrongValue(tensor, value, at);
      texts[at] = value;
    };
  }
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
    const fits = (value: bigint) =>
      (datatype === "INT64" ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) === value;
    return (value, at) => {
      const whole = typeof value === "bigint" || Number.isInteger(value) ? BigInt(value as number) : undefined;
      if (whole === undefined || !fits(whole)) throw wrongValue(tensor, value, at);
      out[at] = whole;
    };
  }
  const numbers = out as Float64Array;
  if (datatype === "BOOL") {
    return (value, at) => {
      // Some clients have no other way to write one.
      if (typeof value !== "boolean" && value !== 0 && value !== 1) throw wrongValue(tensor, value, at);
      numbers[at] = Number(value);
    };
  }
  const [least, most] = numberBounds[datatype];
  if (isInteger(datatype)) {
    return (value, at) => {
      if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
        throw wrongValue(tensor, value, at);
      numbers[at] = value as number;
    };
  }
  const half = datatype === "FP16";
  return (value, at) => {
    if (typeof value !== "number" && value !== null && typeof value !== "bigint") throw wrongValue(tensor, value, at);
    const number = value === null ? Number.NaN : Number(value);
    if (half && Math.abs(number) > most) throw wrongValue(tensor, value, at);
    numbers[at] = half ? toHalf(number) : number;
  };
}

/** @throws VedetteError invalid_input where the bytes are not as many as the shape says, or texts that are none. */
export function readBinary(tensor: InputTensor, bytes: Uint8Array, count: number): TensorData {
  if (tensor.datatype === "BYTES") return readTexts(tensor, bytes, count);
  const Values = tensorArrays[tensor.datatype];
  const expected = count * Values.BYTES_PER_ELEMENT;
  if (bytes.length !== expected) throw wrongCount(tensor, `${bytes.length} bytes`, `${expected}`);
  if (tensor.datatype === "BOOL") {
    const strange = bytes.findIndex((byte) => byte > 1);
    if (strange >= 0) throw wrongValue(tensor, bytes[strange], strange);
  }
  // Copied, since a typed array must begin at a multiple of its width. Little-endian, as is every machine this runs on.
  return new Values(new Uint8Array(bytes).buffer);
}

/** Texts one after the other, each behind a u32 length. */
function readTexts(tensor: InputTensor, bytes: Uint8Array, count: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes.length - at < 4 ? Number.POSITIVE_INFINITY : view.getUint32(at, true);
    if (length > bytes.length - at - 4) throw invalid(tensor, `its bytes end inside text ${texts.length}`);
    at += 4 + length;
    try {
      texts.push(fromUtf8(bytes.subarray(at - length, at)));
    } catch {
      throw invalid(tensor, `text ${texts.length} is not UTF-8`);
    }
    if (texts.length > count) break;
  }
  if (texts.length !== count) throw wrongCount(tensor, `${texts.length} texts`, `${count}`);
  return texts;
}

function wrongValue(tensor: InputTensor, value: unknown, at: number): VedetteError {
  const { datatype } = tensor;
  // Not written out: it may be nested deeper than the stack is.
  const what =
    typeof value === "bigint"
      ? String(value)
      : value === null
        ? "null"
        : typeof value === "object"
          ? "an object"
          : JSON.stringify(value)?.slice(0, 60);
  const bounds = isInteger(datatype) && datatype !== "BOOL" ? ` (${range(datatype)})` : "";
  const missing = isInteger(datatype) ? "; it cannot be missing" : " (null means missing)";
  return invalid(tensor, `value ${at} is ${what}, not ${datatype}${bounds}${missing}`);
}

function range(datatype: Datatype): string {
  if (datatype === "INT64") return "an integer of 64 bits";
  if (datatype === "UINT64") return "an integer of 64 bits, not negative";
  return numberBounds[datatype as Exclude<Datatype, "BYTES">].join(" to ");
}

function wrongCount(tensor: InputTensor, has: string, wants: string): VedetteError {
  const shape = tensor.shape.join(", ");
  return new VedetteError(
    "invalid_input",
    `input tensor ${tensor.name} has ${has}, but its shape [${shape}] wants ${wants}`,
  );
}

function invalid({ name }: InputTensor, what: string): VedetteError {
  return new VedetteError("invalid_input", `input tensor ${name}: ${what}`);
}
