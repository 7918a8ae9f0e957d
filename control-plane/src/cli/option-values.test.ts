import { expect, test } from "vitest";
import { duration } from "./option-values.ts";

test("a duration is a whole number of ms that leads to a moment", () => {
  expect([duration("1ms"), duration("1.5s"), duration("90d")]).toEqual([1, 1500, 90 * 86_400_000]);
  expect(new Date(Date.now() + duration("36525d")).toISOString()).toMatch(/^2\d{3}-/);
  for (const text of ["0s", "0.1ms", "999999999d", `${"9".repeat(400)}d`, "-1h", "1e3s", "1 h", "h", ""]) {
    expect(() => duration(text), text).toThrow("hundred years at most");
  }
});
