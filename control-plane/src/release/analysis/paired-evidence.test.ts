import type { PairCounts } from "@vedette/protocol/shadow";
import fc from "fast-check";
import { expect, test } from "vitest";
import { addPairs, noPairs } from "./paired-evidence.ts";

const count = fc.nat(1000);
const histogram = fc
  .uniqueArray(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 50 })), { selector: ([bin]) => bin, maxLength: 5 })
  .map((bins) => bins.map(([bin, n]): [number, number] => [bin, n]));
const parcels: fc.Arbitrary<PairCounts> = fc.record({
  rows: count,
  skipped: count,
  fit: fc.tuple(count, count, count, count),
  agreed: count,
  table: fc.constant([]),
  value: fc.constant(null),
  confidence: fc.option(fc.record({ n: count, sum: fc.integer({ min: -500, max: 500 }), sumSquares: count })),
  latency: fc.record({ answering: histogram, beside: histogram }),
});

/** The same rows, had the other one answered. */
function swapped({ fit: [both, one, other, neither], confidence, latency, ...counts }: PairCounts): PairCounts {
  return {
    ...counts,
    fit: [both, other, one, neither],
    confidence: confidence && { ...confidence, sum: 0 - confidence.sum },
    latency: { answering: latency.beside, beside: latency.answering },
  };
}

test("[J3] the same rows say the same, whichever of the two answered them", () => {
  fc.assert(
    fc.property(parcels, parcels, (one, two) => {
      const asShadow = addPairs(addPairs(noPairs, one, "incumbent"), two, "incumbent");
      const asCanary = addPairs(addPairs(noPairs, swapped(one), "candidate"), swapped(two), "candidate");
      expect(asCanary).toEqual(asShadow);
    }),
  );
});
