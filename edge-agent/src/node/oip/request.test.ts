import { utf8 } from "@vedette/protocol/bytes";
import { expect, test } from "vitest";
import { parseInferRequest } from "./request.ts";

const input = { name: "x", shape: [1, 2], datatype: "FP32", data: [1, 2] };
const parse = (request: unknown) => parseInferRequest(utf8(JSON.stringify(request)), undefined);

test("a plain request is read as the schema reads it", () => {
  expect(parse({ inputs: [input] })).toEqual(parse({ inputs: [{ ...input, parameters: {} }], parameters: {} }));
});

test.each([
  ["a negative size", { shape: [-1, 2] }],
  ["a broken size", { shape: [1.5] }],
  ["no dimension", { shape: [] }],
  ["nine dimensions", { shape: Array(9).fill(1) }],
  ["an unknown datatype", { datatype: "FP8" }],
  ["a name that is no text", { name: 7 }],
  ["no data", { data: undefined }],
])("%s is refused with and without parameters, in the same words", (_name, change) => {
  const refusal = (more: object): unknown => {
    try {
      return parse({ inputs: [{ ...input, ...change, ...more }] });
    } catch (error) {
      return error;
    }
  };
  expect(refusal({})).toMatchObject({ code: "invalid_input" });
  expect(refusal({})).toEqual(refusal({ parameters: {} }));
});
