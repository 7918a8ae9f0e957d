/**
 * ZipMap, which converters put last by default, turns a tensor of scores into a list of maps, which no runtime but
 * Python's hands out. Here it becomes Identity: the output keeps its name and is the tensor [rows, classes] itself. Its
 * attributes say the names of the classes, in their order. Field numbers are those of onnx.proto. Pure.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { fromUtf8 } from "@vedette/protocol/bytes";
import { readFields } from "@vedette/protocol/onnx/read-fields";

export interface Unzipped {
  /** The model without ZipMap; the very bytes where it has none. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Outputs that were maps. */
  readonly outputs: readonly string[];
  /** In the order of the scores, where a node of the graph names them; undefined where none does, or two disagree. */
  readonly classes: readonly string[] | undefined;
}

/** ModelProto.graph and .opset_import, GraphProto.node and .output. */
const modelGraph = 7;
const modelOpsets = 8;
const graphNode = 1;
const graphOutput = 12;
const tensorFloat = 1;
/** The oldest that runtimes of today take without a word. */
const identityOpset = 9;

/** A field of a message: text or message, or integer, and as it stood, tag and all. */
interface Field {
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
  readonly integer: string | undefined;
  readonly raw: Uint8Array;
}

/** @throws Error where the bytes are no protobuf message. */
export function unzip(model: Uint8Array<ArrayBuffer>): Unzipped {
  const outputs: string[] = [];
  const named = new Map<string, string[]>();
  const fields = fieldsOf(model);
  const rewritten = new BinaryWriter();
  for (const field of fields) {
    const graph = field.number === modelGraph && field.bytes ? fieldsOf(field.bytes) : [];
    for (const { number, bytes } of graph) {
      if (number !== graphNode || !bytes) continue;
      const node = readNode(bytes);
      if (node.classes) named.set(JSON.stringify(node.classes), node.classes);
      if (isZipMap(node)) outputs.push(...node.outputs);
    }
    if (graph.length === 0 || outputs.length === 0) rewritten.raw(field.raw);
    else putBytes(rewritten, modelGraph, rewriteGraph(graph, outputs));
  }
  const classes = named.size === 1 ? [...named.values()][0] : undefined;
  if (outputs.length === 0) return { model, outputs, classes };
  // Trees alone need none of ONNX's own operators, and their models may not name the set that Identity is of.
  const domains = fields.flatMap(({ number, bytes }) =>
    number === modelOpsets && bytes ? [textOf(fieldsOf(bytes), 1)] : [],
  );
  if (!domains.some(isDefault)) putBytes(rewritten, modelOpsets, putInteger(new BinaryWriter(), 2, identityOpset));
  return { model: rewritten.finish(), outputs, classes };
}

function rewriteGraph(graph: readonly Field[], zipped: readonly string[]): BinaryWriter {
  const rewritten = new BinaryWriter();
  for (const { number, bytes, raw } of graph) {
    const node = number === graphNode && bytes ? readNode(bytes) : undefined;
    const output = number === graphOutput && bytes ? textOf(fieldsOf(bytes), 1) : undefined;
    if (node && isZipMap(node)) putBytes(rewritten, graphNode, identityOf(node));
    else if (output !== undefined && zipped.includes(output)) putBytes(rewritten, graphOutput, tensorOf(output));
    else rewritten.raw(raw);
  }
  return rewritten;
}

/** NodeProto {1: input, 2: output, 4: op_type}. */
function identityOf({ inputs, outputs }: Node): BinaryWriter {
  const node = new BinaryWriter();
  for (const name of inputs) putText(node, 1, name);
  for (const name of outputs) putText(node, 2, name);
  return putText(node, 4, "Identity");
}

/** ValueInfoProto of a tensor of floats, [any, any]. */
function tensorOf(name: string): BinaryWriter {
  const open = () => new BinaryWriter();
  const shape = putBytes(putBytes(new BinaryWriter(), 1, open()), 1, open());
  const tensor = putBytes(putInteger(new BinaryWriter(), 1, tensorFloat), 2, shape);
  return putBytes(putText(new BinaryWriter(), 1, name), 2, putBytes(new BinaryWriter(), 1, tensor));
}

function putText(to: BinaryWriter, number: number, text: string): BinaryWriter {
  return to.tag(number, WireType.LengthDelimited).string(text);
}
function putBytes(to: BinaryWriter, number: number, message: BinaryWriter): BinaryWriter {
  return to.tag(number, WireType.LengthDelimited).bytes(message.finish());
}
function putInteger(to: BinaryWriter, number: number, value: number): BinaryWriter {
  return to.tag(number, WireType.Varint).int64(value);
}

function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let from = 0;
  readFields(message, (number, reader, wire) => {
    const bytes = wire === WireType.LengthDelimited ? reader.bytes() : undefined;
    const integer = wire === WireType.Varint ? String(reader.int64()) : undefined;
    if (!bytes && integer === undefined) reader.skip(wire, number);
    fields.push({ number, bytes, integer, raw: message.subarray(from, reader.pos) });
    from = reader.pos;
    return true;
  });
  return fields;
}

interface Node {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly classes: string[] | undefined;
}

function readNode(bytes: Uint8Array): Node {
  const fields = fieldsOf(bytes);
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
  const fields = fieldsOf(attribute);
  if (!/^classlabels_(strings|int64s|ints)$/.test(textOf(fields, 1))) return undefined;
  const names = fields.flatMap(({ number, integer, bytes }) => {
    if (number === 9 && bytes) return [fromUtf8(bytes)];
    if (number !== 8) return [];
    if (integer !== undefined) return [integer];
    return bytes ? packedIntegers(bytes) : [];
  });
  return names.length > 0 ? names : undefined;
}

function packedIntegers(bytes: Uint8Array): string[] {
  const values: string[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) values.push(String(reader.int64()));
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
