import { describe, expect, test } from "vitest";
import { noon } from "../../../test/clock.ts";
import { rolloutOf } from "../../../test/rollout-world.ts";
import type { Member } from "../../db/rollout-records.ts";
import { lookedMs } from "../in-time.ts";
import { putOff } from "./put-off.ts";

const hour = 3_600_000;
const member = (agent: string, state: Member["state"]): Member => ({
  ...{ agent, kind: "canary", given: "canary", joinedAt: noon, retakenAt: null, state, since: noon, takenAt: noon },
  ...{ takenRev: 0, reached: false, reason: null },
});
const members = new Map(
  (["updating", "waiting", "reverted"] as const).map((state) => [state, member(state, state)] as const),
);
const over = { createdAt: noon, stageSince: noon, undecidedFrom: noon, members };

describe("[R79] the time in which nobody looked", () => {
  const rollout = rolloutOf({ ramp: { first: 1, factor: 2 } }, { ...over, ramp: { from: noon, takings: [noon] } });

  test("is given back to what waits for a time, and to nothing else", () => {
    const late = putOff(rollout, 3 * hour, noon + 4 * hour);
    const then = noon + 3 * hour;
    expect(late.rollout).toMatchObject({
      undecidedFrom: then,
      ramp: { from: then, takings: [then] },
      stageSince: noon,
    });
    expect(
      [...late.rollout.members.values()].map(({ since, takenAt, joinedAt }) => [since, takenAt, joinedAt]),
    ).toEqual([
      [noon, then, noon],
      [then, then, noon],
      [then, then, noon],
    ]);
    expect(late.rollout.outages).toEqual([{ from: noon + hour, to: noon + 4 * hour }]);
    expect(late.decisions).toMatchObject([{ action: "rollout.put_off", detail: { minutes: 180 } }]);
  });

  test("is no longer than the rollout, an outage only from minutes on, and no ramp's that is paused", () => {
    expect(putOff(rollout, 60_000, noon + hour).rollout).toBe(rollout);
    expect(putOff(rollout, hour, noon + 60_000).rollout).toBe(rollout);
    expect(putOff(rollout, 9 * hour, noon + hour).rollout.undecidedFrom).toBe(noon + hour);
    const paused = { ...rollout, state: "paused" as const, pausedAt: noon };
    expect(putOff(paused, hour, noon + 2 * hour).rollout.ramp).toBe(rollout.ramp);
  });
});

test("[R84] told twice of one outage it gives it back once: to a stage that goes on, and to one that began with it", () => {
  const running = { state: "running" as const, createdAt: noon, stageSince: noon + hour, undecidedFrom: noon };
  const back = putOff(rolloutOf({}, running), 3 * hour, noon + 5 * hour).rollout;
  expect(back.outages).toEqual([{ from: noon + 2 * hour, to: noon + 5 * hour }]);
  // The control plane was killed before it noted that it had looked.
  expect(putOff(back, 3 * hour + 60_000, noon + 5 * hour + 60_000).rollout).toBe(back);
  const begun = { ...back, stageSince: noon + 5 * hour, outages: [] };
  expect(putOff(begun, 3 * hour + 60_000, noon + 5 * hour + 60_000).rollout).toBe(begun);
});

test("[R80] of a span counts what somebody looked at", () => {
  const outages = [
    { from: 10, to: 20 },
    { from: 30, to: 35 },
  ];
  const spans = [
    [0, 40],
    [0, 10],
    [12, 18],
    [15, 32],
    [20, 30],
  ] as const;
  expect(spans.map(([from, to]) => lookedMs(outages, from, to))).toEqual([25, 10, 0, 10, 10]);
});

test("[R80] outages without a look between them are one, and none is counted twice", () => {
  const rollout = rolloutOf({}, over);
  const ends = [1, 2, 3, 5].map((hours) => noon + hours * hour);
  const after = ends.reduce((one, now) => putOff(one, hour, now).rollout, rollout);
  expect(after.outages).toEqual([
    { from: noon, to: noon + 3 * hour },
    { from: noon + 4 * hour, to: noon + 5 * hour },
  ]);
  expect(lookedMs(after.outages, noon, noon + 5 * hour)).toBe(hour);
  const again = putOff(after, 2 * hour, noon + 6 * hour).rollout;
  expect(lookedMs(again.outages, noon, noon + 6 * hour)).toBe(hour);
});
