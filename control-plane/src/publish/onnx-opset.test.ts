import { readFile } from "node:fs/promises";
import { VedetteError } from "@vedette/protocol/errors";
import fc from "fast-check";
import { expect, it } from "vitest";
import { readOpset } from "./onnx-opset.ts";

const models = new URL("../../../fixtures/models/", import.meta.url);

it("reads the opset of graphs from different writers, with other operator sets beside", async () => {
  for (const name of ["written/linear.onnx", "exported/occupancy-forest.onnx", "exported/occupancy-mlp.onnx"]) {
    expect(readOpset(await readFile(new URL(name, models))), name).toBe(17);
  }
});

it("answers a version or refuses with invalid_model, whatever the bytes", async () => {
  const good = await readFile(new URL("written/linear.onnx", models));
  const damaged = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((flips) => {
      const bytes = Uint8Array.from(good);
      for (const [at, value] of flips) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
      try {
        expect(readOpset(bytes)).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(VedetteError);
        expect(error).toMatchObject({ code: "invalid_model" });
      }
    }),
    { numRuns: 500 },
  );
});
