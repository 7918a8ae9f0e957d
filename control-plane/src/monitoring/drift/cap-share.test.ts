import fc from "fast-check";
import { expect, test } from "vitest";
import { capShare } from "./cap-share.ts";

test("[Y10] no device is more than twice a typical one, and devices that send alike are merged whole", () => {
  const chatty = [
    ...[1, 2, 3].map((i) => ({ agent: `quiet-${i}`, rows: 100 })),
    ...Array.from({ length: 50 }, () => ({ agent: "chatty", rows: 90 })),
  ];
  const { merged, leftOut } = capShare(chatty);
  expect(merged.filter(({ agent }) => agent === "chatty")).toHaveLength(2);
  expect(leftOut).toHaveLength(48);
  const alike = ["a", "b", "c"].flatMap((agent) => [1, 2].map(() => ({ agent, rows: 256 })));
  expect(capShare(alike)).toEqual({ merged: alike, leftOut: [] });
  expect(capShare([{ agent: "only", rows: 9 }]).merged).toHaveLength(1);
  expect(capShare([])).toEqual({ merged: [], leftOut: [] });
});

test("[Y10] whatever comes, each window is merged or left out, and the cap holds", () => {
  const window = fc.record({ agent: fc.constantFrom("a", "b", "c", "d", "e"), rows: fc.integer({ min: 1, max: 1e6 }) });
  fc.assert(
    fc.property(fc.array(window, { maxLength: 40 }), (windows) => {
      const { merged, leftOut } = capShare(windows);
      expect(merged.length + leftOut.length).toBe(windows.length);
      const sums = (of: typeof windows) => {
        const rows = new Map<string, number>();
        for (const each of of) rows.set(each.agent, (rows.get(each.agent) ?? 0) + each.rows);
        return [...rows.values()].toSorted((a, b) => a - b);
      };
      const all = sums(windows);
      const upper = all[Math.floor(all.length / 2)] ?? 0;
      for (const sum of sums(merged)) expect(sum).toBeLessThanOrEqual(2 * upper);
    }),
  );
});
