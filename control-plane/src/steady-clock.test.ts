import fc from "fast-check";
import { expect, test } from "vitest";
import { manualClock, noon } from "../test/clock.ts";
import { steadyClock } from "./steady-clock.ts";

const hour = 3_600_000;

test("set back an hour, time goes on at half its pace until it is caught up with", () => {
  const clock = manualClock();
  const steady = steadyClock(clock);
  clock.set(noon - hour);
  expect(steady.now()).toBe(noon);
  clock.advance(hour / 2);
  expect(steady.now()).toBe(noon + hour / 4);
  clock.advance(2 * hour);
  expect(steady.now()).toBe(noon + 1.5 * hour);
});

test("[R50] whatever the clock says, time never goes back, and is never behind it", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -2 * hour, max: 2 * hour })), (steps) => {
      const clock = manualClock();
      const steady = steadyClock(clock);
      let before = steady.now();
      for (const step of steps) {
        clock.set(clock.now() + step);
        const now = steady.now();
        expect(now).toBeGreaterThanOrEqual(Math.max(before, clock.now()));
        before = now;
      }
    }),
  );
});
