/** The smallest ONNX model that computes: y = x + x, float [n, 2]. Written by hand in protobuf's wire format. */
const bytesOf = (text: string) => [...new TextEncoder().encode(text)];
const field = (number: number, payload: readonly number[]) => [(number << 3) | 2, payload.length, ...payload];
const varint = (number: number, value: number) => [number << 3, value];

const floatTensor = (name: string) => {
  const shape = [...field(1, field(2, bytesOf("n"))), ...field(1, varint(1, 2))];
  return [...field(1, bytesOf(name)), ...field(2, field(1, [...varint(1, 1), ...field(2, shape)]))];
};

export function tinyModel(): Uint8Array<ArrayBuffer> {
  const node = [
    ...field(1, bytesOf("x")),
    ...field(1, bytesOf("x")),
    ...field(2, bytesOf("y")),
    ...field(4, bytesOf("Add")),
  ];
  const graph = [
    ...field(1, node),
    ...field(2, bytesOf("tiny")),
    ...field(11, floatTensor("x")),
    ...field(12, floatTensor("y")),
  ];
  return new Uint8Array([...varint(1, 8), ...field(7, graph), ...field(8, varint(2, 17))]);
}
