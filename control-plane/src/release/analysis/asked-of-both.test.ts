import { expect, test } from "vitest";
import { askedOfBoth } from "./asked-of-both.ts";

const counts = (rows: number, skipped = 0) => ({
  ...{ rows, skipped, fit: [rows, 0, 0, 0] as [number, number, number, number], agreed: rows, table: [] },
  ...{ value: null, confidence: null, latency: { answering: [], beside: [] } },
});
const parcel = (
  rows: number,
  over: { skipped?: number; from?: number; to?: number; says?: number; omitted?: number },
) => {
  const { skipped = 0, from = 0, to = 1000, says = 0, omitted = 0 } = over;
  return {
    ...{ agent: "dev", answering: "one", omitted, window: { from, to }, counts: counts(rows, skipped) },
    disagreements: Array.from({ length: says }, (_, i) => ({ id: `e.${from + i}`, says: "rain" })),
  };
};
const truth = (labelled: number, onlyAnsweringRight = 0, onlyBesideRight = 0) => [
  { agent: "dev", digest: "one", labelled, until: 0, onlyAnsweringRight, onlyBesideRight },
];

test("[A2] labelled rows count in the share that was asked of both, and never more than were asked", () => {
  const asked = askedOfBoth();
  expect(asked.any).toBe(false);
  asked.add(parcel(300, { skipped: 100 }), "rain");
  expect(asked.labelsOf(truth(200), "other").get("dev")?.n).toBe(150);
  expect(asked.labelsOf(truth(4000), "other").get("dev")?.n).toBe(300);
  expect(asked.labelsOf([{ ...truth(10)[0]!, agent: "stranger" }], "other").size).toBe(0);
});

test("who answered decides whose right answers they are", () => {
  const asked = askedOfBoth();
  asked.add(parcel(100, { says: 5 }), "rain");
  expect(asked.labelsOf(truth(100, 3, 2), "one").get("dev")).toEqual({
    n: 100,
    onlyCandidateRight: 3,
    onlyIncumbentRight: 2,
  });
  expect(asked.labelsOf(truth(100, 3, 2), "other").get("dev")).toEqual({
    n: 100,
    onlyCandidateRight: 2,
    onlyIncumbentRight: 3,
  });
});

test("[A2] what is not listed passes for no agreement: where no answer may leave the device, labels tell nothing", () => {
  const asked = askedOfBoth();
  asked.add(parcel(1000, { says: 50, omitted: 150 }), "rain");
  expect(asked.labelsOf(truth(1000), "other").get("dev")?.n).toBe(250);
  const withheld = askedOfBoth();
  withheld.add(parcel(1000, { omitted: 200 }), "rain");
  expect(withheld.labelsOf(truth(1000), "other").get("dev")?.n).toBe(0);
});

test("disagreements beyond the most are forgotten, the oldest first, and count as not listed", () => {
  const asked = askedOfBoth(10);
  asked.add(parcel(100, { from: 0, says: 10 }), "rain");
  asked.add(parcel(100, { from: 100, says: 10 }), "rain");
  expect(asked.disagreements().map(([id]) => id)).toEqual(
    Array.from({ length: 10 }, (_, i) => `dev.rain.e.${100 + i}`),
  );
  expect(asked.labelsOf(truth(200), "other").get("dev")?.n).toBe(100);
});

test("spans that touch are one, and a device that sends few rows for years has no endless list of them", () => {
  const asked = askedOfBoth();
  asked.add(parcel(1, { from: 0, to: 1000 }), "rain");
  asked.add(parcel(1, { from: 900_000, to: 901_000 }), "rain");
  asked.add(parcel(1, { from: 30_000, to: 40_000 }), "rain");
  expect(asked.spans()).toEqual([
    ["dev", "one", 0, 40_000],
    ["dev", "one", 900_000, 901_000],
  ]);
  for (let i = 2; i < 1000; i++) asked.add(parcel(1, { from: i * 1e6, to: i * 1e6 }), "rain");
  expect(asked.spans().length).toBe(200);
  expect(asked.spans()[0]?.[2]).toBe(0);
});

test("[R52] a device that floods its list of disagreements takes nothing from those of the others", () => {
  const asked = askedOfBoth(100);
  asked.add(parcel(100, { says: 10 }), "rain");
  for (let i = 1; i <= 50; i++) {
    asked.add({ ...parcel(1000, { from: i * 1000, says: 100 }), agent: "liar" }, "rain");
  }
  const kept = asked.disagreements();
  expect(kept.length).toBeLessThanOrEqual(100);
  expect(kept.filter(([id]) => id.startsWith("dev.")).length).toBe(10);
  expect(asked.labelsOf(truth(100), "other").get("dev")?.n).toBe(100);
});
