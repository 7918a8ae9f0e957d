import fc from "fast-check";
import { expect, test } from "vitest";
import { createManualClock } from "../../sim/memory-ports.ts";
import { createResponseCache } from "./response-cache.ts";
import { scriptedVersion, slotRig } from "./test/rig.ts";

const minute = { ttlMs: 60_000, maxBytes: 100_000 };

test("[G16] the same input is answered without a run, as the model's, cached, with a number and a row of its own", async () => {
  const { slot, clock, ask, log, outcomes } = await slotRig({ responseCache: minute });
  const version = scriptedVersion(clock);
  await slot.use(version);
  const first = await ask(30);
  const again = await ask(30);
  const other = await ask(31);
  expect(version.script.runs).toEqual([1, 1]);
  const [a, b, c] = [first, again, other].map(({ answers }) => answers[0]);
  expect([a?.cached, b?.cached, c?.cached]).toEqual([false, true, false]);
  expect(b).toEqual({ ...a, id: log.id(1), cached: true });
  expect([a?.id, c?.id]).toEqual([log.id(0), log.id(2)]);
  expect(slot.counters).toMatchObject({ cacheHits: 1, cacheMisses: 2, sources: { model: 3 } });
  // What was not run is no evidence for or against the version.
  expect(outcomes.map(({ n }) => n)).toEqual([1, 1]);
});

test("[G16] an answer is kept as long as was said, and not beyond its version", async () => {
  const { slot, clock, ask } = await slotRig({ responseCache: minute });
  const version = scriptedVersion(clock);
  await slot.use(version);
  await ask(30);
  await clock.advance(59_999);
  expect((await ask(30)).answers[0]?.cached).toBe(true);
  await clock.advance(2);
  expect((await ask(30)).answers[0]?.cached).toBe(false);
  await slot.use(scriptedVersion(clock, { release: 2 }));
  expect(await ask(30)).toMatchObject({ release: 2, answers: [{ cached: false }] });
});

test("[G16] what the schema refuses, and while the model is tripped, is not answered from the cache", async () => {
  const { slot, clock, ask } = await slotRig({ responseCache: minute });
  await slot.use(scriptedVersion(clock));
  await ask(30);
  expect((await ask(30, { temp: 99 })).answers[0]).toMatchObject({
    source: "none",
    reason: "out_of_range",
    cached: false,
  });
  slot.trip("exception");
  expect((await ask(30)).answers[0]).toMatchObject({ source: "none", cached: false });
});

test("[G16] inputs have one key where their bits are equal, and else two; bytes are bounded", () => {
  const cache = createResponseCache(minute, createManualClock());
  const rows = fc.array(fc.float(), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(rows, rows, (a, b) => {
      const bits = (values: number[]) => Buffer.from(Float32Array.from(values).buffer).toString("hex");
      const same = cache.key({ rows: Float32Array.from(a) }) === cache.key({ rows: Float32Array.from(b) });
      expect(same).toBe(bits(a) === bits(b));
    }),
  );
  expect(cache.key({ rows: Float64Array.of(1) })).not.toBe(
    cache.key({ rows: Float32Array.from(new Float32Array(Float64Array.of(1).buffer)) }),
  );
  expect(cache.key({ rows: new Float32Array(2000) })).toBeNull();
  // Unknown texts have one place in the rows, and a picture only its summary.
  const one = Float32Array.of(3);
  expect(cache.key({ rows: one, texts: ["grey"] })).not.toBe(cache.key({ rows: one, texts: ["gray"] }));
  expect(cache.key({ rows: one, tensors: { picture: { datatype: "FP32", shape: [1, 1], data: one } } })).toBeNull();
  const answers = [{ label: "dry", value: null, confidence: 1, scores: [1, 0], outputs: null }];
  const keys = Array.from({ length: 2000 }, (_, i) => cache.key({ rows: Float32Array.of(i) }) as string);
  for (const key of keys) cache.put(key, answers);
  const kept = keys.filter((key) => cache.get(key)).length;
  expect(kept).toBeGreaterThan(100);
  expect(kept).toBeLessThan(1000);
});
