import { fallbackReasons } from "@vedette/protocol/ids";
import { decodeBatch, openFrame } from "@vedette/protocol/prediction-batch";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settle } from "../../sim/memory-ports.ts";
import type { DriftWatch } from "../watch/drift-watch.ts";
import { rainManifest, scriptedVersion, slotRig } from "./test/rig.ts";

describe("an answer of the model", () => {
  test("carries its id, source, scores and version, and is in the log before it leaves", async () => {
    const { slot, ask, log, disk, clock } = await slotRig();
    await slot.use(scriptedVersion(clock));
    const prediction = await ask([25, 50], { entity: "s1" });
    expect(prediction).toEqual({
      model: "rain-gauge",
      digest: "1".repeat(64),
      release: 1,
      answers: [
        {
          id: `a1.rain-gauge.${log.epoch}.0`,
          source: "model",
          reason: null,
          cached: false,
          confidence: 0.75,
          label: "dry",
          value: null,
          scores: [0.75, 0.25],
          outputs: null,
        },
        expect.objectContaining({ id: `a1.rain-gauge.${log.epoch}.1`, label: "dry", confidence: 0.5 }),
      ],
    });
    disk.kill();
    const segment = disk.paths().find((path) => path.includes("segment-")) as string;
    expect(disk.peek(segment)?.length).toBeGreaterThan(100);
    expect(slot.counters).toMatchObject({ served: 2, sources: { model: 2 }, errors: 0 });
  });

  test("requests of one tick run together, 32 rows at most; a longer one runs alone in parts", async () => {
    const { slot, ask, clock } = await slotRig();
    const version = scriptedVersion(clock);
    await slot.use(version);
    const answers = await Promise.all([...Array(40).keys()].map((i) => ask(i)));
    expect(version.script.runs).toEqual([32, 8]);
    for (const [i, prediction] of answers.entries()) {
      expect(prediction.answers[0]?.scores?.[1]).toBeCloseTo(i / 100);
      expect(prediction.answers[0]?.id.endsWith(`.${i}`)).toBe(true);
    }
    version.script.runs.length = 0;
    const winds = [...Array(70).keys()].map((i) => i % 50);
    const [long, short] = await Promise.all([ask(winds), ask(7)]);
    expect(version.script.runs).toEqual([32, 32, 6, 1]);
    expect(long?.answers.map(({ scores }) => Math.round((scores?.[1] ?? 0) * 100))).toEqual(winds);
    expect(short?.answers[0]?.scores?.[1]).toBeCloseTo(0.07);
  });

  test("[Q63] a run waits for those that are coming, tick by tick, while there is room; one that is alone goes at once", async () => {
    const ticks: (() => void)[] = [];
    const { slot, ask, clock } = await slotRig({ schedule: (call) => void ticks.push(call) });
    const version = scriptedVersion(clock);
    await slot.use(version);
    const tick = async () => {
      for (const call of ticks.splice(0)) call();
      await settle();
    };
    const come = (count: number) => Promise.all(Array.from({ length: count }, () => ask(1)));
    const alone = come(1);
    await tick();
    expect(version.script.runs).toEqual([1]);
    await alone;
    await tick();
    const all = [come(2)];
    await tick();
    expect(version.script.runs).toEqual([1]);
    all.push(come(3));
    await tick();
    expect(version.script.runs).toEqual([1]);
    await tick();
    expect(version.script.runs).toEqual([1, 5]);
    all.push(come(32));
    await tick();
    expect(version.script.runs).toEqual([1, 5, 32]);
    await Promise.all(all);
  });

  test("what comes during a run waits for its end and then runs together", async () => {
    const { slot, ask, clock } = await slotRig();
    const version = scriptedVersion(clock);
    version.script.takes = 10;
    await slot.use(version);
    const all = [ask(1)];
    await settle();
    all.push(ask(2), ask(3));
    await settle();
    all.push(ask(4));
    await clock.advance(20);
    await Promise.all(all);
    expect(version.script.runs).toEqual([1, 3]);
  });

  test("a graph of a fixed batch is fed exactly that many rows", async () => {
    const { slot, ask, clock } = await slotRig();
    const inputs = [{ name: "x", datatype: "FP32", shape: [4, 2] }];
    const version = scriptedVersion(clock, {
      manifest: rainManifest({ runtime: { ...rainManifest().runtime, inputs } }),
    });
    await slot.use(version);
    const { answers } = await ask([1, 2, 3, 4, 5]);
    expect(version.script.runs).toEqual([4, 4]);
    expect(answers.map(({ scores }) => Math.round((scores?.[1] ?? 0) * 100))).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("malformed input is the caller's to mend", () => {
  test.each([
    ["a wrong width", [1, 2, 3], /3 values do not make rows of 2 \(wind, temp\)/],
    ["no rows", [], /multiple of 2/],
    ["a required value missing", [1, 2, Number.NaN, 2], /field wind of row 1 is missing/],
    ["an infinite value", [1, Number.NEGATIVE_INFINITY], /field temp of row 0 is -Infinity/],
  ])("%s", async (_name, rows, message) => {
    const { slot, clock } = await slotRig();
    await slot.use(scriptedVersion(clock));
    const asked = slot.predict({ model: "rain-gauge", rows: Float32Array.from(rows) });
    await expect(asked).rejects.toMatchObject({ code: "invalid_input", message: expect.stringMatching(message) });
    expect(slot.counters.errors).toBe(1);
  });

  test("integer tensors take integers only; texts have a length", async () => {
    const { slot, clock } = await slotRig();
    const inputs = [{ name: "x", datatype: "INT64", shape: [-1, 2] }];
    await slot.use(
      scriptedVersion(clock, { manifest: rainManifest({ runtime: { ...rainManifest().runtime, inputs } }) }),
    );
    const ask = (rows: number[], entity = "e") =>
      slot.predict({ model: "rain-gauge", rows: Float64Array.from(rows), entity });
    await expect(ask([1.5, 2])).rejects.toThrow("field wind of row 0 is 1.5: an integer is expected");
    await expect(ask([1, Number.NaN])).rejects.toThrow("field temp of row 0 is missing");
    await expect(ask([1, 2], "e".repeat(257))).rejects.toThrow("257 characters");
  });

  test.each([8.64e15 + 1, 1e300, Number.NaN])(
    "an event time of %d is no date: it never comes near the log",
    async (eventTime) => {
      const { slot, clock } = await slotRig();
      await slot.use(scriptedVersion(clock));
      const asked = slot.predict({ model: "rain-gauge", rows: Float32Array.from([1, 2]), eventTime });
      await expect(asked).rejects.toMatchObject({
        code: "invalid_input",
        message: expect.stringMatching("is no date"),
      });
    },
  );

  test("a missing value that is not required is no error", async () => {
    const { slot, ask, clock } = await slotRig();
    await slot.use(scriptedVersion(clock));
    expect((await ask(1, { temp: Number.NaN })).answers[0]?.source).toBe("model");
  });
});

describe("swapping versions", () => {
  test("under load loses no request, mixes no versions, and hands back the former when it is idle", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 40 })), {
          minLength: 1,
          maxLength: 25,
        }),
        async (steps) => {
          const { slot, ask, clock, log, disk } = await slotRig();
          let release = 1;
          const fresh = () => {
            const version = scriptedVersion(clock, { release: release++ % 10 });
            version.script.takes = 5;
            return version;
          };
          await slot.use(fresh());
          const asked: ReturnType<typeof ask>[] = [];
          for (const [what, wait] of steps) {
            if (what === 0) void slot.use(fresh()).then((former) => former?.session.release());
            else for (let i = 0; i < what; i++) asked.push(ask(i));
            await clock.advance(wait);
          }
          await clock.advance(200);
          const all = await Promise.all(asked);
          expect(all.every(({ answers }) => answers[0]?.source === "model")).toBe(true);
          expect(new Set(all.map(({ answers }) => answers[0]?.id)).size).toBe(asked.length);
          await log.close();
          let rows = 0;
          for (const path of disk.paths().filter((name) => name.includes("/batch-"))) {
            const { header } = decodeBatch(openFrame(disk.peek(path) as Uint8Array).compressed);
            expect([header.firstN, header.missing]).toEqual([rows, []]);
            for (let n = rows; n < rows + header.count; n++) {
              const owner = all.find(({ answers }) => answers[0]?.id === log.id(n));
              expect(owner?.digest).toBe(header.digest);
            }
            rows += header.count;
          }
          expect(rows).toBe(asked.length);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("evidence of a version that was replaced is not held against the next; served starts anew", async () => {
    const { slot, ask, clock, outcomes } = await slotRig();
    const old = scriptedVersion(clock);
    old.script.takes = 10;
    await slot.use(old);
    const asked = ask(1);
    await settle();
    const used = slot.use(scriptedVersion(clock, { release: 2 }));
    await clock.advance(10);
    expect([(await asked).release, (await used)?.release]).toEqual([1, 1]);
    expect([outcomes, slot.counters.served]).toEqual([[], 0]);
    await ask(1);
    expect([outcomes, slot.counters.served]).toEqual([[{ n: 1, failed: 0, nan: 0, overBudget: 0, unsure: 0 }], 1]);
  });
});

test("[P3] an answer that cannot be logged is given all the same, once its number is accounted for", async () => {
  const { slot, ask, clock, disk, log } = await slotRig();
  await slot.use(scriptedVersion(clock));
  await ask(1);
  disk.failAppends(1);
  const { answers } = await ask(1);
  expect(answers[0]).toMatchObject({ source: "model", id: log.id(1) });
  await clock.advance(0);
  expect((await ask(1)).answers[0]?.source).toBe("model");
});

/** A drift watch that writes down what it is shown: rows, and the scores answered to them. */
function noted(untrusted = false) {
  const seen: { rows: number; scores: (readonly number[] | null | undefined)[] }[] = [];
  const drift: DriftWatch = {
    observe: (rows, answers, from) => {
      const n = rows.length / 2;
      seen.push({ rows: n, scores: answers.slice(from, from + n).map((answer) => answer?.scores) });
    },
    report: () => [],
    verdict: untrusted ? "critical" : "none",
    top: null,
    windows: 0,
    untrusted,
    close() {},
  };
  return { seen, drift };
}

test("rows go to the drift watch after their answers, with what the model said; a failing listener hurts nobody", async () => {
  const { slot, ask, clock, logger } = await slotRig();
  const { seen, drift } = noted();
  await slot.use(scriptedVersion(clock, { drift }));
  slot.onPredictions(() => {
    throw new Error("listener");
  });
  await Promise.all([ask([25, 50, 75]), ask(100)]);
  expect(seen).toEqual([
    {
      rows: 3,
      scores: [
        [0.75, 0.25],
        [0.5, 0.5],
        [0.25, 0.75],
      ],
    },
    { rows: 1, scores: [[0, 1]] },
  ]);
  expect(logger.entries.map(({ event }) => event)).toEqual(["outcome_not_taken"]);
});

test("[Y8] under critical drift the ladder answers where the policy says so, and the model is watched on", async () => {
  const { slot, ask, clock } = await slotRig();
  const { seen, drift } = noted(true);
  const version = scriptedVersion(clock, { drift });
  await slot.use(version);
  expect((await ask(25)).answers[0]).toMatchObject({ source: "none", reason: "drift_critical" });
  expect([version.script.runs, seen]).toEqual([[1], [{ rows: 1, scores: [[0.75, 0.25]] }]]);
  expect(slot.counters.reasons.drift_critical).toBe(1);
});

test("a row that no model answered is not watched: there is nothing to compare its answer with", async () => {
  const { slot, ask, clock } = await slotRig();
  const { seen, drift } = noted();
  const version = scriptedVersion(clock, { drift });
  version.script.poison = 7;
  await slot.use(version);
  expect((await ask(7)).answers[0]?.source).toBe("none");
  slot.trip("exception");
  await ask(1);
  expect(seen).toEqual([]);
});

test("more rows than numbers are reserved ahead are answered all the same", async () => {
  const { slot, clock } = await slotRig();
  await slot.use(scriptedVersion(clock));
  const { answers } = await slot.predict({ model: "rain-gauge", rows: new Float32Array(2 * 20_000) });
  expect(new Set(answers.map(({ id }) => id)).size).toBe(20_000);
});

test("every reason is counted under its name", async () => {
  const { slot } = await slotRig();
  expect(Object.keys(slot.counters.reasons)).toEqual([...fallbackReasons]);
});
