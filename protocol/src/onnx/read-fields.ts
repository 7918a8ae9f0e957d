/** The fields of a protobuf message, one after the other, as ONNX files have them. Nothing here believes a length. Pure. */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/**
 * Calls with each field; where that answers false, having read nothing, the field is skipped.
 * @throws Error where the bytes are no message, or it ends within a field.
 */
export function readFields(
  bytes: Uint8Array,
  take: (field: number, reader: BinaryReader, wire: WireType) => boolean,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    // ONNX has none, and they nest without end.
    if (wire === WireType.StartGroup || wire === WireType.EndGroup) throw new RangeError("it holds a group");
    if (!take(field, reader, wire)) reader.skip(wire, field);
    if (reader.pos > reader.len) throw new RangeError("it ends within a field");
  }
}
