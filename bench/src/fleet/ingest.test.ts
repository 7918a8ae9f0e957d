import { expect, test } from "vitest";
import { ingestSides, measureIngest } from "./ingest.ts";

test("a short run stores each prediction once, though a part is sent twice, and gives every figure", {
  timeout: 120_000,
}, async () => {
  const result = await measureIngest({ rounds: 1, devices: 3, batches: 3 });
  expect(result).toMatchObject({ stored: result.sent, distinct: result.sent, sentAgain: 2 * 2 * 3 });
  expect(result.batchBytes).toBeGreaterThan(15_000);
  expect(result.batchBytes).toBeLessThan(25_000);
  for (const side of ingestSides) {
    for (const figure of Object.values(result.sides[side])) expect(figure).toBeGreaterThan(0);
  }
});
