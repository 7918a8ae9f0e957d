import { expect, test } from "vitest";
import { createManualClock, createMemoryLogger, settle } from "../../sim/memory-ports.ts";
import { barrierOf, createPlace, drained, isStale, type Place } from "./place.ts";
import { rainManifest, scriptedVersion } from "./test/rig.ts";

const unlogged: Place["log"] = { room: () => null, reserve: () => 0, id: String, append: () => null };

function rig(freshUntil: string | null = null) {
  const clock = createManualClock();
  const log = createMemoryLogger();
  const finished: unknown[] = [];
  const options = {
    ...{ ports: { clock, log }, schedule: queueMicrotask, cap: 32 },
    finish: (from: Place, _: unknown, result: unknown) => void finished.push({ from, result }),
    ...{ late() {}, ran() {}, ended() {} },
  };
  const manifest = rainManifest({ freshUntil });
  const version = scriptedVersion(clock, { manifest });
  const place = createPlace({ version, manifest, log: unlogged, second: null }, options);
  const none = createPlace({ version: null, manifest, log: unlogged, second: null }, options);
  const job = {
    ...{ request: { model: "rain-gauge", rows: Float32Array.of(1, 2) }, n: 1, refused: null, done: false },
    ...{ started: clock.monotonic(), key: null, cached: false, given: -1, resolve() {}, reject() {} },
  };
  return { clock, log, version, place, none, finished, job };
}

test("a model is asked until it is tripped or past its deadline; without one there is none to ask", () => {
  const { place, none } = rig("2026-01-01T00:00:00.000Z");
  const deadline = Date.parse("2026-01-01T00:00:00.000Z");
  expect([barrierOf(place, deadline - 1), isStale(place, deadline - 1)]).toEqual([null, false]);
  expect([barrierOf(place, deadline), isStale(place, deadline)]).toEqual(["stale_model", true]);
  expect([barrierOf(none, deadline), isStale(none, deadline)]).toEqual(["no_model", false]);
  expect(none.queue).toBeNull();
  place.tripped = "drift_critical";
  expect(barrierOf(place, deadline)).toBe("drift_critical");
});

test("what a run made of its jobs comes from the place that ran it, and why it failed stays with it", async () => {
  const { place, version, finished, job } = rig();
  version.script.poison = 1;
  place.queue?.add(job);
  await settle();
  expect(finished).toEqual([{ from: place, result: "exception" }]);
  expect(place.failure).toBe("no wind like this");
});

test("a place that was left is drained when its runs are done; one that hangs is said, and waited for no longer", async () => {
  const { clock, log, place, version, job } = rig();
  if (!place.queue) throw new Error("a version has a queue");
  version.script.takes = 50;
  place.queue.add(job);
  await settle();
  let done = false;
  const end = drained(place.queue, { clock, log, model: "rain-gauge", waitMs: 1000 }).then(() => {
    done = true;
  });
  await clock.advance(49);
  expect(done).toBe(false);
  await clock.advance(1);
  await end;
  version.script.takes = Number.POSITIVE_INFINITY;
  place.queue.add({ ...job });
  await settle();
  const given = drained(place.queue, { clock, log, model: "rain-gauge", waitMs: 1000 });
  await clock.advance(1000);
  await given;
  expect(log.entries.filter(({ event }) => event === "run_hangs")).toMatchObject([
    { level: "error", fields: { model: "rain-gauge", waited: 1000 } },
  ]);
});
