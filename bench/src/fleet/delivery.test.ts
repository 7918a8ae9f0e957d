import { expect, test } from "vitest";
import { deliverySides, measureDelivery } from "./delivery.ts";

test("a short run brings every byte to every device, and only the changed chunks of a changed model", {
  timeout: 120_000,
}, async () => {
  const modelBytes = 1_000_000;
  const { sides, ratio } = await measureDelivery({ rounds: 1, devices: 4, real: 1, modelBytes });
  expect(sides.bare.bytes).toBe(4 * modelBytes);
  expect(sides.light.bytes).toBe(4 * modelBytes);
  expect(sides.mixed.bytes).toBeGreaterThanOrEqual(4 * modelBytes);
  expect(sides.layer.bytes).toBeLessThan(0.3 * sides.light.bytes);
  expect(ratio).toBeCloseTo(sides.light.seconds / sides.bare.seconds);
  for (const side of deliverySides) expect(sides[side].brokerCpuSeconds).toBeGreaterThan(0);
});
