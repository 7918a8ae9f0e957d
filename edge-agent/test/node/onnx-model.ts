/** A tiny ONNX model in bytes: probabilities and label of two numbers, and a text passed through. */
type Field = [number: number, value: number | string | Uint8Array];

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
}

/** A protobuf message of varints and length-delimited fields. */
function message(...fields: Field[]): Uint8Array {
  const parts = fields.map(([number, value]) => {
    if (typeof value === "number") return Buffer.from([...varint(number * 8), ...varint(value)]);
    const bytes = Buffer.from(value as Uint8Array);
    return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
  });
  return Buffer.concat(parts);
}

const float = 1;
const int64 = 7;
const text = 8;
function value(name: string, type: number, ...dims: (number | string)[]): Uint8Array {
  const shape = message(...dims.map((dim): Field => [1, message(typeof dim === "number" ? [1, dim] : [2, dim])]));
  return message([1, name], [2, message([1, message([1, type], [2, shape])])]);
}

/** x FP32 [n,2], s BYTES [n] → scores FP32 [n,2] (softmax), label INT64 [n] (argmax), t BYTES [n]; or without s and t. */
export function tinyModel(withText = true): Uint8Array<ArrayBuffer> {
  const ifText = (...fields: Field[]) => (withText ? fields : []);
  const integer = (name: string, i: number) => message([1, name], [3, i], [20, 2]);
  const graph = message(
    [1, message([1, "x"], [2, "scores"], [4, "Softmax"])],
    [1, message([1, "x"], [2, "label"], [4, "ArgMax"], [5, integer("axis", 1)], [5, integer("keepdims", 0)])],
    ...ifText([1, message([1, "s"], [2, "t"], [4, "Identity"])]),
    [2, "tiny"],
    [11, value("x", float, "n", 2)],
    ...ifText([11, value("s", text, "n")]),
    [12, value("scores", float, "n", 2)],
    [12, value("label", int64, "n")],
    ...ifText([12, value("t", text, "n")]),
  );
  return new Uint8Array(message([1, 8], [8, message([2, 17])], [7, graph]));
}
