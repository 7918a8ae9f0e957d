import fc from "fast-check";
import { expect, test } from "vitest";
import { capRows, cohortsOf, scopeOf, subjectOf } from "./subjects.ts";

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

test("a scope is known again by its subject, whatever a label's value holds", () => {
  const text = fc.string({ unit: "grapheme" });
  const key = fc.stringMatching(/^[A-Za-z0-9_.-]{1,63}$/);
  const scope = fc.oneof(
    fc.constant({ kind: "fleet" as const }),
    fc.record({ kind: fc.constant("device" as const), agent: key }),
    fc.record({ kind: fc.constant("cohort" as const), label: key, value: text }),
  );
  fc.assert(fc.property(scope, (one) => void expect(scopeOf(subjectOf(one))).toEqual(one)));
  expect([scopeOf("bank"), scopeOf("cohort:city")]).toEqual([undefined, undefined]);
});
