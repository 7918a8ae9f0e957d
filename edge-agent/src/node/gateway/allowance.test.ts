import fc from "fast-check";
import { expect, test } from "vitest";
import type { HttpRefusal } from "../oip/errors.ts";
import { createAllowance, noLimits } from "./allowance.ts";
import { createLoad } from "./load.ts";

const refusalOf = (call: () => void): HttpRefusal | undefined => {
  try {
    call();
  } catch (error) {
    return error as HttpRefusal;
  }
  return undefined;
};

test("[G5] in any stretch of time a key is let in at most its burst and its rate's worth, and so often where it asks enough", () => {
  const rate = fc.integer({ min: 1, max: 50 });
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(rate, fc.integer({ min: 1, max: 20 }), gaps, (ratePerSecond, burst, waits) => {
      let now = 0;
      const allowance = createAllowance({ ...noLimits, ratePerSecond, burst }, () => now);
      const taken: number[] = [];
      for (const wait of waits) {
        now += wait;
        if (refusalOf(() => allowance.take()) === undefined) taken.push(now);
      }
      for (const [i, from] of taken.entries()) {
        for (let j = i; j < taken.length; j++) {
          const most = burst + (ratePerSecond * ((taken[j] as number) - from)) / 1000;
          expect(j - i + 1).toBeLessThanOrEqual(most + 1e-6);
        }
      }
      expect(taken.length).toBeGreaterThanOrEqual(Math.min(burst, waits.length));
    }),
  );
});

test("[G5] a refusal says after how many seconds to come again, and then there is room", () => {
  let now = 0;
  const allowance = createAllowance({ ...noLimits, ratePerSecond: 0.25, burst: 1 }, () => now);
  allowance.take();
  const refused = refusalOf(() => allowance.take());
  expect(refused).toMatchObject({ status: 429, code: "rate_limited", headers: { "retry-after": "4" } });
  now = 3999;
  expect(refusalOf(() => allowance.take())).toMatchObject({ headers: { "retry-after": "1" } });
  now = 4000;
  expect(refusalOf(() => allowance.take())).toBeUndefined();
});

test("[G5] no more requests of a key are under way at once than it may have, whatever became of them", () => {
  const allowance = createAllowance({ ...noLimits, concurrent: 2 }, () => 0);
  allowance.take();
  allowance.take();
  expect(refusalOf(() => allowance.take())).toMatchObject({ status: 429 });
  allowance.giveBack();
  expect(refusalOf(() => allowance.take())).toBeUndefined();
});

test("[G6] where answers take longer than the limit requests are shed, and say how long; a quick model sheds none", () => {
  let now = 0;
  const slow = createLoad({ inFlight: 1000, waitMs: 200 }, () => now);
  const quick = createLoad({ inFlight: 1000, waitMs: 200 }, () => now);
  let waiting = 0;
  let shed: HttpRefusal | undefined;
  // One slow answer each 50 ms, two requests each 50 ms: the queue grows until its wait is the limit.
  for (let i = 0; i < 200; i++) {
    for (let j = 0; j < 2; j++) {
      const refused = refusalOf(() => slow.enter());
      if (refused) shed = refused;
      else waiting++;
    }
    quick.enter();
    now += 50;
    slow.leave();
    waiting--;
    quick.leave();
  }
  expect(shed).toMatchObject({ status: 429, code: "busy", headers: { "retry-after": "1" } });
  // Four answers fit into 200 ms; eight are never refused.
  expect(waiting).toBeGreaterThanOrEqual(4);
  expect(waiting).toBeLessThanOrEqual(10);
});

test("[G6] after a pause nothing is shed for what was", () => {
  let now = 0;
  const load = createLoad({ inFlight: 1000, waitMs: 100 }, () => now);
  for (let i = 0; i < 40; i++) load.enter();
  for (let i = 0; i < 40; i++) {
    now += 100;
    load.leave();
  }
  const entered = () => Array.from({ length: 100 }, () => refusalOf(() => load.enter())).filter((one) => !one).length;
  now += 60_000;
  expect(entered()).toBe(100);
});

test("a model that answers a whole run at once is judged by its runs, and not by the silence between them", () => {
  let now = 0;
  const load = createLoad({ inFlight: 1000, waitMs: 5_000 }, () => now);
  for (let i = 0; i < 64; i++) load.enter();
  // Runs of 32 that take 1.3 s: 2.6 s for each of 64. The next questions come one by one while the next run is on.
  let shed = 0;
  for (let run = 0; run < 10; run++) {
    now += 1300 - 32 * 20;
    for (let i = 0; i < 32; i++) load.leave();
    for (let i = 0; i < 32; i++) {
      now += 20;
      if (refusalOf(() => load.enter())) shed++;
    }
  }
  expect(shed).toBe(0);
});

test("a model that answers nothing sheds once the longest wait is over", () => {
  let now = 0;
  const load = createLoad({ inFlight: 1000, waitMs: 200 }, () => now);
  for (let i = 0; i < 10; i++) load.enter();
  now = 199;
  load.enter();
  now = 201;
  expect(() => load.enter()).toThrow(/would take/);
});
