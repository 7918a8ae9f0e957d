import { utf8 } from "@vedette/protocol/bytes";
import { type Datatype, datatypes, tensorArrays } from "@vedette/protocol/tensors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseInferRequest } from "./request.ts";
import { readBinary, readJson } from "./tensor-values.ts";
import { type OutputTensor, writeBody } from "./tensors-out.ts";

const request = (data: string, datatype: Datatype, shape: readonly number[]) =>
  parseInferRequest(
    utf8(`{"inputs":[{"name":"x","shape":${JSON.stringify(shape)},"datatype":"${datatype}","data":${data}}]}`),
    undefined,
  ).inputs[0] as Parameters<typeof readJson>[0];
const read = (data: string, datatype: Datatype, shape: readonly number[]) =>
  readJson(
    request(data, datatype, shape),
    shape.reduce((product, size) => product * size, 1),
  );

test("[O23] integers of 64 bits keep every digit, in and out", () => {
  expect(read("[9007199254740993, -9223372036854775808]", "INT64", [2])).toEqual(
    BigInt64Array.of(9007199254740993n, -9223372036854775808n),
  );
  expect(read("[[18446744073709551615]]", "UINT64", [1, 1])).toEqual(BigUint64Array.of(18446744073709551615n));
  const tensor: OutputTensor = { name: "y", datatype: "INT64", shape: [2], data: [9007199254740993n, 7n] };
  const body = writeBody({}, [tensor], { outputs: undefined, binaryOutput: false });
  expect(body).toMatchObject({ kind: "text", text: expect.stringContaining('"data":[9007199254740993,7]') });
});

test.each([
  ["UINT8", "[256]", "0 to 255"],
  ["INT8", "[-129]", "-128 to 127"],
  ["UINT64", "[-1]", "not negative"],
  ["INT64", "[9223372036854775808]", "64 bits"],
  ["INT32", "[1.5]", "1.5"],
  ["INT16", "[null]", "cannot be missing"],
  ["BOOL", '["true"]', "not BOOL"],
  ["FP16", "[70000]", "not FP16"],
  ["FP32", '["1"]', "not FP32"],
  ["BYTES", "[1]", "not BYTES"],
] as const)("[O24] %s refuses %s, and says why", (datatype, data, why) => {
  expect(() => read(data, datatype, [1])).toThrow(why);
  expect(() => read(data, datatype, [1])).toThrow("input tensor x");
});

test("nested and flat data are the same; texts and truth values come as they are", () => {
  expect(read("[[1,2],[3,null]]", "FP64", [2, 2])).toEqual(read("[1,2,3,null]", "FP64", [2, 2]));
  expect(read('["a",null,"Zürich"]', "BYTES", [3])).toEqual(["a", null, "Zürich"]);
  expect(read("[true,false,1]", "BOOL", [3])).toEqual(Uint8Array.of(1, 0, 1));
});

test("[O25] [property] what is given as binary is read back, for every datatype", () => {
  const texts = fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 });
  const bytes = fc
    .uint8Array({ minLength: 8, maxLength: 64 })
    .map((all) => all.slice(0, all.length - (all.length % 8)));
  // Halves are given as numbers: their bits are compared where they are converted.
  const datatype = fc.constantFrom(...datatypes.filter((name) => name !== "FP16"));
  fc.assert(
    fc.property(datatype, texts, bytes, (datatype, words, raw) => {
      const bits = datatype === "BOOL" ? raw.map((byte) => byte % 2) : raw;
      const values = datatype === "BYTES" ? words : new tensorArrays[datatype](bits.slice().buffer);
      const tensor: OutputTensor = {
        name: "y",
        datatype,
        shape: [values.length],
        data: Array.from<string | number | bigint>(values as string[]),
      };
      const body = writeBody({}, [tensor], { outputs: [{ name: "y", binary: true }], binaryOutput: false });
      if (body.kind !== "binary") throw new Error("not binary");
      const input = {
        name: "y",
        datatype,
        shape: [values.length],
        data: { kind: "binary", bytes: body.bytes.subarray(body.headerLength) },
      } as const;
      expect(Array.from<unknown>(readBinary(input, input.data.bytes, values.length))).toEqual(
        Array.from<unknown>(values as string[]),
      );
    }),
  );
});

test("binary texts that are cut short, too many or no UTF-8 are refused", () => {
  const binary = (...bytes: number[]) => {
    const data = Uint8Array.from(bytes);
    return () =>
      readBinary({ name: "x", datatype: "BYTES", shape: [1], data: { kind: "binary", bytes: data } }, data, 1);
  };
  expect(binary(9, 0, 0, 0, 97)).toThrow("end inside text 0");
  expect(binary(1, 0, 0, 0, 97, 0, 0, 0, 0)).toThrow("2 texts");
  expect(binary(1, 0, 0, 0, 0xff)).toThrow("not UTF-8");
  expect(binary(1, 0)).toThrow("end inside text 0");
});
