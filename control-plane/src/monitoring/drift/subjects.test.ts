import fc from "fast-check";
import { expect, test } from "vitest";
import { capRows, cohortsOf } from "./subjects.ts";

test("[Y10] no device counts for more than twice a typical one; where all send alike, each counts whole", () => {
  expect(capRows([100, 100, 100, 4500])).toBe(200);
  expect(capRows([256, 256, 256])).toBe(512);
  expect(capRows([9])).toBe(18);
  expect(capRows([1, 1e6])).toBe(1e6 + 1);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1, maxLength: 30 }), (rows) => {
      const sorted = rows.toSorted((a, b) => a - b);
      expect(capRows(rows)).toBeLessThanOrEqual(2 * (sorted[Math.floor(rows.length / 2)] ?? 0));
      expect(rows.some((one) => one <= capRows(rows))).toBe(true);
    }),
  );
});

test("a cohort is more than one device and not all; a label that names each device is no cohort", () => {
  const member = (agent: string, city: string) => ({ agent, labels: { city, serial: agent, site: "all" } });
  const members = [member("a", "york"), member("b", "york"), member("c", "bath")];
  expect(cohortsOf(members)).toEqual([{ label: "city", value: "york", agents: ["a", "b"] }]);
  expect(cohortsOf([])).toEqual([]);
});
