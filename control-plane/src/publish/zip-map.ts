/**
 * ZipMap, which converters put last by default, turns a tensor of scores into a list of maps, which no runtime but
 * Python's hands out. Here it becomes Identity: the output keeps its name and is the tensor [rows, classes] itself. Its
 * attributes say the names of the classes, in their order. Field numbers are those of onnx.proto. Pure.
 */
import { concatBytes, fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { bytesField, type Field, fieldsOf, varintField } from "./protobuf.ts";

export interface Unzipped {
  /** The model without ZipMap; the very bytes where it has none. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Outputs that were maps. */
  readonly outputs: readonly string[];
  /** In the order of the scores, where a node of the graph names them; undefined where none does, or two disagree. */
  readonly classes: readonly string[] | undefined;
}

/** ModelProto.graph, GraphProto.node and .output. */
const modelGraph = 7;
const graphNode = 1;
const graphOutput = 12;
const tensorFloat = 1;
/** The oldest that runtimes of today take without a word. */
const identityOpset = 9;

/** @throws RangeError where the bytes are no protobuf message. */
export function unzip(model: Uint8Array<ArrayBuffer>): Unzipped {
  const outputs: string[] = [];
  const named = new Map<string, string[]>();
  const parts = [...fieldsOf(model)].map((field) => {
    if (field.number !== modelGraph || !field.bytes) return field.raw;
    const graph = [...fieldsOf(field.bytes)];
    for (const { number, bytes } of graph) {
      if (number !== graphNode || !bytes) continue;
      const node = readNode(bytes);
      if (node.classes) named.set(JSON.stringify(node.classes), node.classes);
      if (isZipMap(node)) outputs.push(...node.outputs);
    }
    if (outputs.length === 0) return field.raw;
    return bytesField(modelGraph, concatBytes(graph.map((part) => rewritten(part, outputs))));
  });
  const classes = named.size === 1 ? [...named.values()][0] : undefined;
  if (outputs.length === 0) return { model, outputs, classes };
  // Trees alone need none of ONNX's own operators, and their models may not name the set that Identity is of.
  const imports = [...fieldsOf(model)].flatMap(({ number, bytes }) =>
    number === 8 && bytes ? [textOf([...fieldsOf(bytes)], 1)] : [],
  );
  if (!imports.some(isDefault)) parts.push(bytesField(8, varintField(2, identityOpset)));
  return { model: concatBytes(parts), outputs, classes };
}

function rewritten({ number, bytes, raw }: Field, zipped: readonly string[]): Uint8Array {
  if (number === graphNode && bytes) {
    const node = readNode(bytes);
    if (!isZipMap(node)) return raw;
    const names = [
      ...node.inputs.map((name) => bytesField(1, utf8(name))),
      ...node.outputs.map((name) => bytesField(2, utf8(name))),
    ];
    return bytesField(graphNode, concatBytes([...names, bytesField(4, utf8("Identity"))]));
  }
  if (number === graphOutput && bytes) {
    const name = textOf([...fieldsOf(bytes)], 1);
    if (!zipped.includes(name)) return raw;
    const open = bytesField(1, new Uint8Array());
    const shape = bytesField(2, concatBytes([open, open]));
    const tensor = bytesField(1, concatBytes([varintField(1, tensorFloat), shape]));
    return bytesField(graphOutput, concatBytes([bytesField(1, utf8(name)), bytesField(2, tensor)]));
  }
  return raw;
}

interface Node {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly classes: string[] | undefined;
}

function readNode(bytes: Uint8Array): Node {
  const fields = [...fieldsOf(bytes)];
  const texts = (number: number) =>
    fields.flatMap((field) => (field.number === number && field.bytes ? [fromUtf8(field.bytes)] : []));
  return {
    op: textOf(fields, 4),
    domain: textOf(fields, 7),
    inputs: texts(1),
    outputs: texts(2),
    classes: fields
      .flatMap((field) => (field.number === 5 && field.bytes ? [classNames(field.bytes)] : []))
      .find(Boolean),
  };
}

const isZipMap = ({ op, domain }: Node): boolean => op === "ZipMap" && domain === "ai.onnx.ml";

/** Of an AttributeProto {1: name, 8: ints, 9: strings}; classifiers and ZipMap call theirs `classlabels_…`. */
function classNames(attribute: Uint8Array): string[] | undefined {
  const fields = [...fieldsOf(attribute)];
  if (!/^classlabels_(strings|int64s|ints)$/.test(textOf(fields, 1))) return undefined;
  const names = fields.flatMap(({ number, varint, bytes }) => {
    if (number === 9 && bytes) return [fromUtf8(bytes)];
    if (number !== 8) return [];
    if (varint !== undefined) return [String(BigInt.asIntN(64, varint))];
    return bytes ? packedIntegers(bytes) : [];
  });
  return names.length > 0 ? names : undefined;
}

function packedIntegers(bytes: Uint8Array): string[] {
  const values: string[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    values.push(String(BigInt.asIntN(64, value)));
    value = 0n;
    shift = 0n;
  }
  return values;
}

function textOf(fields: readonly Field[], number: number): string {
  const bytes = fields.find((field) => field.number === number)?.bytes;
  return bytes ? fromUtf8(bytes) : "";
}

/** Whether a domain is the one of ONNX's own operators. */
function isDefault(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}
