import { type DriftVerdict, driftVerdicts } from "@vedette/protocol/drift";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Standing, stand, unjudged } from "./standing.ts";

const none = { verdict: "none", top: null } as const;
const drift = { verdict: "drift", top: "wind" } as const;

test("[Y4] an alarm stands for as many quiet rows as it took, and then goes", () => {
  let now: Standing = stand(unjudged, none, 100, 100);
  expect(now.verdict).toBe("none");
  now = stand(now, drift, 100, 300);
  for (const quiet of [100, 200]) {
    now = stand(now, none, 100, quiet);
    expect(now).toMatchObject({ verdict: "drift", top: "wind", quiet });
  }
  expect(stand(now, none, 100, 300)).toMatchObject({ verdict: "none", top: null });
  // Critical again, and a drift after it: the latest alarm counts.
  expect(stand(stand(now, { ...drift, verdict: "critical" }, 9, 9), drift, 9, 9).verdict).toBe("drift");
});

test("[Y4] whatever windows say, an alarm is never overlooked and never outlives its rows", () => {
  const window = fc.record({
    verdict: fc.constantFrom<DriftVerdict>(...driftVerdicts),
    rows: fc.integer({ min: 1, max: 500 }),
    since: fc.integer({ min: 1, max: 2000 }),
  });
  fc.assert(
    fc.property(fc.array(window), (windows) => {
      let now = unjudged;
      for (const { verdict, rows, since } of windows) {
        now = stand(now, { verdict, top: null }, rows, since);
        const alarms = verdict === "drift" || verdict === "critical";
        if (alarms) expect(now.verdict).toBe(verdict);
        else if (now.verdict !== verdict) expect(now.quiet).toBeLessThan(now.raisedAfter);
      }
    }),
  );
});
