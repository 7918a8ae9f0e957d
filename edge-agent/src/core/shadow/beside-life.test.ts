/** The table of a version that is asked beside: whatever happens, in whatever order. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Beside, type BesideEvent, maxBesideStarts, stepBeside } from "./beside-life.ts";

const digests = ["a".repeat(64), "b".repeat(64)];
const events: fc.Arbitrary<BesideEvent> = fc.oneof(
  fc.record({
    kind: fc.constant("assigned" as const),
    rev: fc.integer({ min: 1, max: 9 }),
    version: fc.record({
      digest: fc.constantFrom(...digests),
      release: fc.constant(1),
      length: fc.constant(1),
      answering: fc.constant("c".repeat(64)),
      sample: fc.constantFrom(0.5, 1),
    }),
  }),
  fc.constantFrom<BesideEvent>(
    { kind: "withdrawn" },
    { kind: "fetched" },
    { kind: "lost" },
    { kind: "started" },
    { kind: "proved", forgiven: false },
    { kind: "proved", forgiven: true },
    { kind: "lived" },
    { kind: "stopped" },
    { kind: "failed", reason: "proof_failed", why: "no" },
  ),
);

it("[S50] [S56] nothing is asked that was not fetched, started and proven; no start goes beyond the last", () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 60 }), (happened) => {
      let now = null as Beside | null;
      let path: string[] = [];
      for (const event of happened) {
        const before = now;
        now = stepBeside(before, event);
        if (now?.digest !== before?.digest || now?.state === "fetching") path = [];
        if (now !== before && now?.digest === before?.digest) path.push(event.kind);
        if (now?.state === "asking") expect(path).toEqual(expect.arrayContaining(["fetched", "started", "proved"]));
        expect(now?.starts ?? 0).toBeLessThanOrEqual(maxBesideStarts);
        if (now?.state === "rejected") expect(now.reason).not.toBeNull();
        // Given up, it comes back by a higher revision only.
        if (before?.state === "rejected" && now?.digest === before.digest && now.state !== "rejected") {
          expect(event).toMatchObject({ kind: "assigned" });
          expect(now.rev).toBeGreaterThan(before.rev);
        }
        // The same thing twice is the same.
        if (event.kind !== "started" && event.kind !== "stopped") expect(stepBeside(now, event)).toEqual(now);
      }
    }),
    { numRuns: 500 },
  );
});
