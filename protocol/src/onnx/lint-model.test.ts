import { readdir, readFile } from "node:fs/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { VedetteError } from "../errors.ts";
import { lintModel } from "./lint-model.ts";

const models = new URL("../../../fixtures/models/", import.meta.url);

function refusalOf(bytes: Uint8Array): unknown {
  try {
    lintModel(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

it("[V10] what people export passes: trees, linear models, networks, texts, ZipMap", async () => {
  const names = (await readdir(new URL("exported/", models))).filter((name) => name.endsWith(".onnx"));
  expect(names.length).toBeGreaterThan(4);
  for (const name of names) {
    expect(lintModel(await readFile(new URL(`exported/${name}`, models))).opset, name).toBe(17);
  }
});

it("[V10] a file cut anywhere is refused, but where what is cut off says nothing", async () => {
  const whole = await readFile(new URL("written/two-class-int64.onnx", models));
  let passed = 0;
  for (let length = 0; length < whole.length; length++) {
    const error = refusalOf(whole.subarray(0, length));
    if (error === undefined) passed++;
    else expect(error).toMatchObject({ code: "invalid_model" });
  }
  // The opset is the last field: without it there is no knowing what the operators mean.
  expect(passed).toBe(0);
});

it("whatever the bytes, the answer is a verdict", async () => {
  const whole = await readFile(new URL("written/mlp-logits.onnx", models));
  const damaged = fc
    .array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((flips) => {
      const bytes = Uint8Array.from(whole);
      for (const [at, value] of flips) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
      const error = refusalOf(bytes);
      if (error === undefined) return;
      expect(error).toBeInstanceOf(VedetteError);
      expect(error).toMatchObject({ code: "invalid_model" });
    }),
    { numRuns: 1000 },
  );
});
