import { expect, test } from "vitest";
import { createManualClock } from "../../sim/memory-ports.ts";
import { quietRunMs } from "./quiet-run.ts";
import { scriptedVersion } from "./test/rig.ts";

test.each([
  ["takes", 30, 30],
  ["never ends", Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
])("a model that %s", async (_, takes, expected) => {
  const clock = createManualClock();
  const version = scriptedVersion(clock);
  version.script.takes = takes;
  const measured = quietRunMs(version, clock);
  await clock.advance(5000);
  expect(await measured).toBe(expected);
});

test("the best of the runs counts: one that met a busy device does not", async () => {
  const clock = createManualClock();
  const version = scriptedVersion(clock);
  version.script.takes = 500;
  const measured = quietRunMs(version, clock);
  await clock.advance(499);
  version.script.takes = 20;
  await clock.advance(100);
  expect(await measured).toBe(20);
});

test("a model that throws says so", async () => {
  const clock = createManualClock();
  const version = scriptedVersion(clock);
  version.script.poison = 0;
  await expect(quietRunMs(version, clock)).rejects.toMatchObject({ code: "model_failed" });
});
