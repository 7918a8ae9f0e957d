import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Answer, Prediction } from "../../src/core/agent.ts";
import { rainManifest } from "../../src/core/serve/test/rig.ts";
import { answerInfer, type Desk, readInfer } from "../../src/node/oip/infer.ts";
import { createInferStats } from "../../src/node/oip/infer-stats.ts";
import { quickWayOf } from "../../src/node/oip/quick-infer.ts";

const digest = "d".repeat(64);
const limits = { rows: 4096, values: 1e6 };
const nothing = { enter: () => undefined, leave: () => undefined };

/** The same model with the quick way and without: a desk's `quick` is null where it does not apply. */
function desks(manifest: Manifest): { quick: Desk; general: Desk } {
  const served = { name: manifest.model, version: { digest, release: 7 }, manifest };
  const general = { served, quick: null, stats: createInferStats(), load: nothing };
  return { general, quick: { ...general, quick: quickWayOf(manifest.model, 7, manifest) } };
}
const classes = desks(rainManifest());
const tensors = [{ name: "y", datatype: "FP32", shape: [-1, 1] }];
const value = desks(rainManifest({ output: { task: "regression", value: { tensor: "y" }, tensors } }));

const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, -0, 1e21, 5e-324));
const answer = fc.record({
  id: fc.nat().map((n) => `a1.rain-gauge.0123456789abcdef.${n}`),
  source: fc.constantFrom<Answer["source"]>("model", "cache", "rule"),
  reason: fc.constantFrom<Answer["reason"]>(null, null, "low_confidence"),
  cached: fc.boolean(),
  confidence: fc.option(number),
});
type Given = typeof answer extends fc.Arbitrary<infer A> ? A : never;
const prediction = (given: readonly Given[], more: Pick<Answer, "label" | "value" | "scores">): Prediction => ({
  model: "rain-gauge",
  digest,
  release: 7,
  answers: given.map((one) => ({ ...one, ...more, outputs: null })),
});

/** The answer, or the refusal in its own words. */
function outcome(desk: Desk, body: string, given?: Prediction) {
  try {
    const call = readInfer(desk, Buffer.from(body), undefined, limits);
    return { ask: call.ask, answer: given && answerInfer(desk, call, given) };
  } catch (error) {
    if (error instanceof VedetteError) return { code: error.code, message: error.message };
    throw error;
  }
}

test("the quick way applies to these models", () => {
  expect([classes.quick.quick, value.quick.quick].every(Boolean)).toBe(true);
});

test("[G15] whatever is answered, the quick way writes the bytes that the general way writes", () => {
  const many = fc.array(answer, { minLength: 1, maxLength: 3 });
  const id = fc.option(fc.string({ minLength: 1, maxLength: 256 }), { nil: undefined });
  fc.assert(
    fc.property(many, number, number, id, (answers, a, b, requestId) => {
      const data = answers.flatMap(() => [1.5, 2]);
      const body = JSON.stringify({
        id: requestId,
        inputs: [{ name: "x", datatype: "FP32", shape: [answers.length, 2], data }],
      });
      const scored = prediction(answers, { label: "rain", value: null, scores: [a, b] });
      expect(outcome(classes.quick, body, scored)).toEqual(outcome(classes.general, body, scored));
      const valued = prediction(answers, { label: null, value: a, scores: null });
      expect(outcome(value.quick, body, valued)).toEqual(outcome(value.general, body, valued));
    }),
  );
});

test("[G15] whatever is asked, well or not, both ways understand the same, or refuse it in the same words", () => {
  const odd = fc.constantFrom<unknown>(
    undefined,
    null,
    "x",
    "FP32",
    2,
    -1,
    1.5,
    [],
    [1, 2],
    [2, 2],
    [-1, 2],
    [[1, 2]],
    {},
    "",
  );
  const field = (usual: unknown) => fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, odd);
  const input = fc.record({
    name: field("x"),
    datatype: field("FP32"),
    shape: field([1, 2]),
    data: field([1.5, -2]),
    parameters: field(undefined),
  });
  const request = fc.record({
    id: field("é"),
    inputs: fc.oneof(fc.array(input, { maxLength: 2 }), odd),
    outputs: field(undefined),
    more: field(undefined),
  });
  fc.assert(
    fc.property(request, (asked) => {
      const body = JSON.stringify(asked);
      expect(outcome(classes.quick, body)).toEqual(outcome(classes.general, body));
    }),
    { numRuns: 2000 },
  );
});

test("[G15] text that is no JSON, and bytes that are no text, are refused alike", () => {
  for (const body of ["", "{", "[1", "nul", "\u0000"])
    expect(outcome(classes.quick, body)).toEqual(outcome(classes.general, body));
  const bytes = Buffer.from([0x7b, 0xff, 0x7d]);
  expect(() => readInfer(classes.quick, bytes, undefined, limits)).toThrow(/not JSON in UTF-8/);
});
