import fc from "fast-check";
import { expect, test } from "vitest";
import { formatPredictionId, parsePredictionId } from "./ids.ts";

test("[I1] a prediction id says agent, stream, epoch and number, and reads back", () => {
  const parts = fc.record({
    agent: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,20}$/),
    stream: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/),
    epoch: fc.stringMatching(/^[0-9a-f]{16}$/),
    n: fc.maxSafeNat(),
  });
  fc.assert(
    fc.property(parts, (id) => {
      expect(parsePredictionId(formatPredictionId(id))).toEqual(id);
    }),
  );
});

test("[I1] what is no prediction id is none", () => {
  for (const text of [
    "",
    "a.b.c.1",
    "a.b.00112233445566ff.01",
    "a.b.00112233445566ff.-1",
    "a.b.00112233445566ff.1.2",
    "a.b.00112233445566ff",
  ]) {
    expect(parsePredictionId(text)).toBeUndefined();
  }
});
