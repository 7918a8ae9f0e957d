import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { describe, expect, it } from "vitest";
import { type NamedRow, toInputs } from "./named-rows.ts";

const field = (name: string, column: number) => ({
  name,
  kind: "number" as const,
  tensor: "x",
  column,
  required: false,
  outOfRange: "count" as const,
});
const manifest = (datatype: "FP32" | "FP64") =>
  ({
    input: {
      fields: [field("temp_max", 0), field("wind", 1)],
      tensors: [{ name: "x", datatype, shape: [-1, 2] }],
    },
  }) as unknown as Manifest;
const fault = (inputs: unknown) => {
  try {
    toInputs(manifest("FP32"), inputs as NamedRow[]);
  } catch (error) {
    if (error instanceof VedetteError) return `${error.code}: ${error.message}`;
  }
  return "accepted";
};

describe("rows by field name", () => {
  it("puts values in the order of the schema, NaN where they are missing", () => {
    const inputs = [{ wind: 4.5, temp_max: 12 }, { wind: null }, { temp_max: undefined, wind: 0 }, {}];
    const { NaN: none } = Number;
    expect(toInputs(manifest("FP64"), inputs).rows).toEqual(
      new Float64Array([12, 4.5, none, none, none, 0, none, none]),
    );
  });

  it("keeps 64 bits where any input tensor does", () => {
    expect(toInputs(manifest("FP32"), [{}]).rows).toBeInstanceOf(Float32Array);
    expect(toInputs(manifest("FP64"), [{}]).rows).toBeInstanceOf(Float64Array);
  });

  it("names what is wrong and where", () => {
    expect(fault([])).toMatch(/invalid_input: .*empty/);
    expect(fault([{ wind: 1 }, { win: 1 }])).toMatch(/inputs\[1\].*"win".*temp_max, wind/);
    expect(fault([{ toString: 1 }])).toMatch(/unknown field "toString"/);
    expect(fault([{ wind: "4" }])).toMatch(/inputs\[0\]\.wind is a string/);
    expect(fault([null])).toMatch(/inputs\[0\] is no object/);
  });
});
