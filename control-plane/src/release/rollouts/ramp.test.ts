import fc from "fast-check";
import { expect, test } from "vitest";
import { delayRamp, rampRoom, taken } from "./ramp.ts";

const hour = 3_600_000;
const none = { from: null, takings: [] };

test("[R18] a constant ramp takes no more within any hour, and a slow one no more within what one device takes", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: hour }), { maxLength: 60 });
  fc.assert(
    fc.property(fc.constantFrom(0.25, 0.5, 1, 1.5, 7, 100), gaps, (perHour, gaps) => {
      let [now, state] = [0, none as Parameters<typeof rampRoom>[1]];
      const all: number[] = [];
      for (const gap of gaps) {
        now += gap;
        const room = rampRoom({ perHour }, state, now);
        state = taken({ perHour }, state, room, now);
        for (let i = 0; i < room; i++) all.push(now);
      }
      const most = Math.ceil(perHour);
      const within = (most / perHour) * hour;
      for (const at of all)
        expect(all.filter((one) => one > at - within && one <= at).length).toBeLessThanOrEqual(most);
    }),
  );
});

test("[R18] an exponential ramp takes so many in its first hour, and `factor` times as many in each next one", () => {
  const ramp = { first: 2, factor: 3 };
  let state = taken(ramp, none, rampRoom(ramp, none, 1000), 1000);
  const took: number[] = [2];
  expect(rampRoom(ramp, state, 1000 + hour - 1)).toBe(0);
  for (let i = 1; i < 4; i++) {
    const now = 1000 + i * hour;
    took.push(rampRoom(ramp, state, now));
    state = taken(ramp, state, rampRoom(ramp, state, now), now);
    expect(rampRoom(ramp, state, now)).toBe(0);
  }
  expect(took).toEqual([2, 6, 18, 54]);
});

test("[R18] an exponential ramp does not climb while it is paused", () => {
  const ramp = { first: 1, factor: 10 };
  const state = taken(ramp, none, 1, 0);
  const after = delayRamp(ramp, state, 5 * hour);
  expect(rampRoom(ramp, after, 5 * hour + hour / 2)).toBe(0);
  expect(rampRoom(ramp, after, 6 * hour)).toBe(10);
  expect(rampRoom(null, none, 0)).toBe(Number.POSITIVE_INFINITY);
});
