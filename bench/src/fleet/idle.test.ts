import { expect, test } from "vitest";
import { measureIdle } from "./idle.ts";

test("a short run connects every device to a whole control plane, and loses none", { timeout: 120_000 }, async () => {
  const result = await measureIdle({ devices: 50, idleMs: 1_500 });
  expect(result).toMatchObject({ devices: 50, lost: 0 });
  expect(result.before).toBeGreaterThan(30e6);
  expect(result.idle).toBeGreaterThan(30e6);
  expect(result.idleCpu).toBeLessThan(2);
});
