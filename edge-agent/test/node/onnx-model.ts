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

/**
 * x FP32 [n,1] → y FP32 [n,1], by way of many products of large matrices: far over a millisecond a run on any machine, in
 * a file of a few hundred bytes.
 */
export function slowModel(size = 512, products = 40): Uint8Array<ArrayBuffer> {
  const integers = (name: string, ...values: number[]) =>
    message([1, values.length], [2, int64], ...values.map((each): Field => [7, each]), [8, name]);
  const nodes: Field[] = [
    [1, message([1, "side"], [2, "ones"], [4, "ConstantOfShape"])],
    // Neither zero nor constant, so that nothing is worked out beforehand.
    [1, message([1, "x"], [2, "mean"], [4, "ReduceMax"], [5, message([1, "keepdims"], [3, 0], [20, 2])])],
    [1, message([1, "ones"], [1, "mean"], [2, "m0"], [4, "Add"])],
  ];
  for (let i = 0; i < products; i++) {
    nodes.push([1, message([1, `m${i}`], [1, `m${i}`], [2, `p${i}`], [4, "MatMul"])]);
    nodes.push([1, message([1, `p${i}`], [2, `m${i + 1}`], [4, "Tanh"])]);
  }
  const graph = message(
    ...nodes,
    [1, message([1, `m${products}`], [2, "z"], [4, "ReduceMean"], [5, message([1, "keepdims"], [3, 0], [20, 2])])],
    [1, message([1, "x"], [1, "z"], [2, "y"], [4, "Add"])],
    [2, "slow"],
    [5, integers("side", size, size)],
    [11, value("x", float, "n", 1)],
    [12, value("y", float, "n", 1)],
  );
  return new Uint8Array(message([1, 8], [8, message([2, 17])], [7, graph]));
}
