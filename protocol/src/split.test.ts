import fc from "fast-check";
import { expect, test } from "vitest";
import { fromUtf8, utf8 } from "./bytes.ts";
import { lotOf, takesCandidate } from "./split.ts";

const salt = (n: number) => n.toString(16).padStart(32, "0");
const units = Array.from({ length: 20_000 }, (_, i) => `customer-${i}`);
/** Pearson's, of counts that should be equal. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, n) => sum + n, 0) / counts.length;
  return counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
}

test("[C1] a lot is the same everywhere and for ever", () => {
  // Known answers: a change of any of them would move entities from one version to the other.
  expect(["a", "customer-1", "Zürich", "", "😀"].map((unit) => lotOf(salt(7), unit))).toMatchInlineSnapshot(`
    [
      0.4510716265067458,
      0.29454087326303124,
      0.774944540578872,
      0.7501561816316098,
      0.6678046490997076,
    ]
  `);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string(), (unit, other) => {
      const lot = lotOf(other, unit);
      expect(lot).toBe(lotOf(other, unit));
      expect(lot).toBeGreaterThanOrEqual(0);
      expect(lot).toBeLessThan(1);
    }),
  );
});

test("[C1] a unit that is no Unicode text has the lot of what the log will say of it", () => {
  expect(lotOf(salt(7), "customer-\ud83d")).toBe(lotOf(salt(7), "customer-\ufffd"));
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(0xffff), (unit, code) => {
      const broken = `${unit}${String.fromCharCode(code)}`;
      expect(lotOf(salt(7), broken)).toBe(lotOf(salt(7), fromUtf8(utf8(broken))));
    }),
  );
});

test("[C1] lots are spread evenly over units that differ little, and each experiment draws anew", () => {
  for (const n of [1, 2, 3]) {
    const counts = new Array<number>(64).fill(0);
    for (const unit of units) counts[Math.floor(lotOf(salt(n), unit) * 64)]!++;
    // 63 degrees of freedom: 103.4 is passed once in a thousand.
    expect(chiSquare(counts)).toBeLessThan(103.4);
  }
  const cells = [0, 0, 0, 0];
  for (const unit of units) {
    const [one, two] = [1, 2].map((n) => (takesCandidate({ salt: salt(n), share: 0.5 }, unit) ? 1 : 0));
    cells[2 * (one as number) + (two as number)]!++;
  }
  expect(chiSquare(cells)).toBeLessThan(16.3);
});

test("[C1] whoever is the candidate's at a share is so at every greater one", () => {
  const taken = (share: number) => units.filter((unit) => takesCandidate({ salt: salt(9), share }, unit));
  const [few, many] = [new Set(taken(0.1)), new Set(taken(0.4))];
  expect([...few].every((unit) => many.has(unit))).toBe(true);
  expect(few.size / units.length).toBeCloseTo(0.1, 1.9);
  expect(many.size / units.length).toBeCloseTo(0.4, 1.9);
});
