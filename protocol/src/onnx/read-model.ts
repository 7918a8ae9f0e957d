/**
 * Reads an ONNX file as far as judging it needs: operators, sizes, attributes; weights stay where they are. Field numbers
 * are those of onnx.proto (ir 13). `lint-model.ts` judges what this reads; nothing here believes a length or a depth.
 */
import { type BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { messageOf, VedetteError } from "../errors.ts";
import { readFields } from "./read-fields.ts";

/** A stored tensor. */
export interface OnnxTensor {
  readonly name: string;
  /** As TensorProto.DataType numbers them. */
  readonly type: number;
  readonly dims: readonly number[];
  /** Bytes of raw data; −1 where the values stand in typed fields. */
  readonly rawBytes: number;
  /** Values in typed fields. */
  readonly typedValues: number;
  /** Where its data lies outside the file; undefined where they are within. */
  readonly external: string | undefined;
  /** The values of a small tensor of integers or floats. */
  readonly small: readonly number[] | undefined;
}
export interface OnnxAttribute {
  readonly name: string;
  readonly ints: readonly number[];
  readonly floats: readonly number[];
  readonly tensors: readonly OnnxTensor[];
  readonly graphs: readonly OnnxGraph[];
  readonly sparse: boolean;
}
export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  /** "" is ai.onnx. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly OnnxAttribute[];
}
/** A declared value; null where it is no tensor, and null a dimension that varies. */
export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly (number | null)[] | null;
}
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly sparseInitializers: number;
  readonly inputs: readonly OnnxValue[];
}
export interface OnnxModel {
  /** By domain ("" is ai.onnx). */
  readonly opsets: ReadonlyMap<string, number>;
  readonly functions: number;
  readonly training: number;
  readonly graph: OnnxGraph | undefined;
}

/** Graphs within graphs that are read. */
const maxDepth = 8;
/** Values of a tensor that are read: those that say shapes, counts and ranges are few. */
const maxSmall = 64;
const dataTypes = { float: 1, int32: 6, int64: 7, double: 11 } as const;

/** @throws VedetteError invalid_model where the bytes are no ONNX file, or it is cut short or nested too deep. */
export function readModel(bytes: Uint8Array): OnnxModel {
  const opsets = new Map<string, number>();
  let functions = 0;
  let training = 0;
  let graph: OnnxGraph | undefined;
  try {
    if (bytes.length === 0) throw new RangeError("it is empty");
    readFields(bytes, (field, reader) => {
      if (field === 7) graph = readGraph(reader.bytes(), 1);
      else if (field === 8) readOpset(reader.bytes(), opsets);
      else if (field === 20) training += reader.bytes().length > 0 ? 1 : 0;
      else if (field === 25) functions += reader.bytes().length > 0 ? 1 : 0;
      else return false;
      return true;
    });
  } catch (cause) {
    const why = `the model is no ONNX file, or it is cut short (${messageOf(cause)}): export it again`;
    throw new VedetteError("invalid_model", why, { cause });
  }
  return { opsets, functions, training, graph };
}

function readOpset(bytes: Uint8Array, into: Map<string, number>): void {
  let [domain, version] = ["", 0];
  readFields(bytes, (field, reader) => {
    if (field === 1) domain = reader.string();
    else if (field === 2) version = Number(reader.int64());
    else return false;
    return true;
  });
  into.set(domain === "ai.onnx" ? "" : domain, version);
}

function readGraph(bytes: Uint8Array, depth: number): OnnxGraph {
  if (depth > maxDepth) throw new RangeError(`graphs within graphs over ${maxDepth} deep`);
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValue[] = [];
  let sparseInitializers = 0;
  readFields(bytes, (field, reader) => {
    if (field === 1) nodes.push(readNode(reader.bytes(), depth));
    else if (field === 5) initializers.push(readTensor(reader.bytes()));
    else if (field === 11) inputs.push(readValue(reader.bytes()));
    else if (field === 15) sparseInitializers += reader.bytes().length > 0 ? 1 : 0;
    else return false;
    return true;
  });
  return { nodes, initializers, sparseInitializers, inputs };
}

function readNode(bytes: Uint8Array, depth: number): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: OnnxAttribute[] = [];
  let [name, op, domain] = ["", "", ""];
  readFields(bytes, (field, reader) => {
    if (field === 1) inputs.push(reader.string());
    else if (field === 2) outputs.push(reader.string());
    else if (field === 3) name = reader.string();
    else if (field === 4) op = reader.string();
    else if (field === 5) attributes.push(readAttribute(reader.bytes(), depth));
    else if (field === 7) domain = reader.string();
    else return false;
    return true;
  });
  return { name, op, domain: domain === "ai.onnx" ? "" : domain, inputs, outputs, attributes };
}

function readAttribute(bytes: Uint8Array, depth: number): OnnxAttribute {
  const ints: number[] = [];
  const floats: number[] = [];
  const tensors: OnnxTensor[] = [];
  const graphs: OnnxGraph[] = [];
  let [name, sparse] = ["", false];
  readFields(bytes, (field, reader, wire) => {
    if (field === 1) name = reader.string();
    else if (field === 2) floats.push(reader.float());
    else if (field === 3) ints.push(Number(reader.int64()));
    else if (field === 5 || field === 10) tensors.push(readTensor(reader.bytes()));
    else if (field === 6 || field === 11) graphs.push(readGraph(reader.bytes(), depth + 1));
    else if (field === 7) repeated(reader, wire, floats, () => reader.float());
    else if (field === 8) repeated(reader, wire, ints, () => Number(reader.int64()));
    else if (field === 22 || field === 23) sparse = reader.bytes().length >= 0;
    else return false;
    return true;
  });
  return { name, ints, floats, tensors, graphs, sparse };
}

/** Packed or one by one; beyond the first few only their presence counts. */
function repeated(reader: BinaryReader, wire: WireType, into: number[], one: () => number): void {
  if (wire !== WireType.LengthDelimited) {
    into.push(one());
    return;
  }
  const end = reader.uint32() + reader.pos;
  if (end > reader.len) throw new RangeError("it ends within a list");
  while (reader.pos < end) {
    const value = one();
    if (into.length < maxSmall) into.push(value);
  }
}

function readTensor(bytes: Uint8Array): OnnxTensor {
  const dims: number[] = [];
  const typed: number[] = [];
  let [name, type, typedValues, located] = ["", 0, 0, 0];
  let raw: Uint8Array | undefined;
  let external: string | undefined;
  const values = (reader: BinaryReader, wire: WireType, one: () => number, fixed: number) => {
    if (wire !== WireType.LengthDelimited) {
      typedValues++;
      typed.push(one());
      return;
    }
    const end = reader.uint32() + reader.pos;
    if (end > reader.len) throw new RangeError("it ends within a tensor");
    const first = reader.pos;
    while (reader.pos < end && typed.length < maxSmall) typed.push(one());
    if (fixed > 0) typedValues += (end - first) / fixed;
    else
      for (let at = first; at < end; at++) if (bytes[at] !== undefined && (bytes[at] as number) < 0x80) typedValues++;
    reader.pos = end;
  };
  readFields(bytes, (field, reader, wire) => {
    if (field === 1) repeated(reader, wire, dims, () => Number(reader.int64()));
    else if (field === 2) type = reader.int32();
    else if (field === 4) values(reader, wire, () => reader.float(), 4);
    else if (field === 5) values(reader, wire, () => reader.int32(), 0);
    else if (field === 6) typedValues += reader.bytes().length >= 0 ? 1 : 0;
    else if (field === 7) values(reader, wire, () => Number(reader.int64()), 0);
    else if (field === 8) name = reader.string();
    else if (field === 9) raw = reader.bytes();
    else if (field === 10) values(reader, wire, () => reader.double(), 8);
    else if (field === 11) values(reader, wire, () => Number(reader.uint64()), 0);
    else if (field === 13) external = locationOf(reader.bytes()) ?? external ?? "?";
    else if (field === 14) located = reader.int32();
    else return false;
    return true;
  });
  if (located !== 0) external ??= "?";
  const small = raw ? smallValues(type, raw) : typedValues <= maxSmall && typed.length > 0 ? typed : undefined;
  return { name, type, dims, rawBytes: raw?.length ?? -1, typedValues, external, small };
}

/** The value of StringStringEntryProto `location`. */
function locationOf(bytes: Uint8Array): string | undefined {
  let [key, value] = ["", ""];
  readFields(bytes, (field, reader) => {
    if (field === 1) key = reader.string();
    else if (field === 2) value = reader.string();
    else return false;
    return true;
  });
  return key === "location" ? value : undefined;
}

function smallValues(type: number, raw: Uint8Array): number[] | undefined {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const read = (size: number, at: (offset: number) => number | bigint) =>
    raw.length % size === 0 && raw.length / size <= maxSmall
      ? Array.from({ length: raw.length / size }, (_, i) => Number(at(i * size)))
      : undefined;
  switch (type) {
    case dataTypes.int64:
      return read(8, (at) => view.getBigInt64(at, true));
    case dataTypes.int32:
      return read(4, (at) => view.getInt32(at, true));
    case dataTypes.float:
      return read(4, (at) => view.getFloat32(at, true));
    case dataTypes.double:
      return read(8, (at) => view.getFloat64(at, true));
    default:
      return undefined;
  }
}

function readValue(bytes: Uint8Array): OnnxValue {
  let name = "";
  let shape: (number | null)[] | null = null;
  readFields(bytes, (field, reader) => {
    if (field === 1) name = reader.string();
    else if (field === 2) shape = readShape(reader.bytes());
    else return false;
    return true;
  });
  return { name, shape };
}

/** TypeProto.tensor_type.shape.dim[].dim_value */
function readShape(bytes: Uint8Array): (number | null)[] | null {
  let shape: (number | null)[] | null = null;
  const within = (message: Uint8Array, path: readonly number[]): void => {
    readFields(message, (field, reader) => {
      if (field !== path[0]) return false;
      if (path.length > 1) within(reader.bytes(), path.slice(1));
      else {
        let size: number | null = null;
        readFields(reader.bytes(), (part, dimension) => {
          if (part !== 1) return false;
          size = Number(dimension.int64());
          return true;
        });
        shape = [...(shape ?? []), size !== null && size > 0 ? size : null];
      }
      return true;
    });
  };
  within(bytes, [1, 2, 1]);
  return shape;
}
