import { expect, test } from "vitest";
import type { Database } from "../../db/database.ts";
import { createLookedAt } from "./looked-at.ts";

const hour = 3_600_000;

/** Settings of one site, over its processes. */
function site() {
  const kept = new Map<string, string>();
  const settings = {
    read: (key: string) => Promise.resolve(kept.get(key)),
    write: (key: string, value: string) => Promise.resolve(void kept.set(key, value)),
  } as unknown as Database["settings"];
  return () => createLookedAt({ settings });
}

test("[R84] what was missed is known over restarts, until a round that looked at all is over", async () => {
  const begin = site();
  const first = begin();
  expect(await first.missedMs(1, hour)).toBe(0);
  first.looked(1, hour);
  await first.note(hour);
  // Killed in its first round, after it gave the hours back and before it noted it.
  const second = begin();
  expect(await second.missedMs(1, 6 * hour)).toBe(5 * hour);
  second.looked(1, 6 * hour);
  expect(await second.missedMs(1, 6 * hour + 2_000)).toBe(2_000);
  const third = begin();
  expect(await third.missedMs(1, 6 * hour + 4_000)).toBe(5 * hour + 4_000);
  await third.note(6 * hour + 4_000);
  expect(await begin().missedMs(1, 6 * hour + 5_000)).toBe(1_000);
});

test("[R84] of one that could not be looked at, while others were, the time is not lost", async () => {
  const looked = site()();
  for (let at = 0; at <= hour; at += 60_000) {
    for (const rollout of [1, 2]) await looked.missedMs(rollout, at);
    looked.looked(1, at);
    await looked.note(at);
  }
  expect([await looked.missedMs(1, hour), await looked.missedMs(2, hour)]).toEqual([0, hour]);
});
