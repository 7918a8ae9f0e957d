import { expect, test } from "vitest";
import { uniform } from "../../../test/uniform.ts";
import { checkRatio, ratioError } from "./ratio-check.ts";

/** Share of streams in which the check ever alarms, looked at after each unit; and of those, after how many units (median). */
function everAlarms(streams: number, length: number, planned: number, real: number) {
  const at: number[] = [];
  for (let stream = 0; stream < streams; stream++) {
    const random = uniform(stream + 1);
    const counts = [0, 0] as [number, number];
    for (let n = 1; n <= length; n++) {
      counts[random() < real ? 0 : 1]++;
      if (!checkRatio("units", ...counts, planned).alarm) continue;
      at.push(n);
      break;
    }
  }
  return { share: at.length / streams, median: at.toSorted((a, b) => a - b)[Math.floor(at.length / 2)] };
}

test("[C7] a split as planned alarms no more often than stated, looked at after each unit", {
  timeout: 120_000,
}, () => {
  for (const planned of [0.5, 0.1, 0.9]) {
    // One of the two checks: half of the error; 2,000 streams stray by .0016.
    expect(everAlarms(2000, 1000, planned, planned).share).toBeLessThanOrEqual(ratioError / 2 + 0.005);
  }
});

test("[C7] an arm that loses units is found", { timeout: 120_000 }, () => {
  // Of the candidate's units a half, a fifth is lost: 1 : 2 and 4 : 5 instead of 1 : 1.
  const half = everAlarms(200, 2000, 0.5, 1 / 3);
  expect(half.share).toBe(1);
  expect(half.median).toBeLessThan(200);
  const fifth = everAlarms(100, 5000, 0.5, 4 / 9);
  expect(fifth.share).toBeGreaterThan(0.98);
  expect(fifth.median).toBeLessThan(1500);
});

test("[C7] what is told can be written as JSON, however clear it is", () => {
  expect(checkRatio("measured", 0, 1_000_000, 0.5)).toMatchObject({ alarm: true, eValue: 1e300 });
  expect(checkRatio("units", 0, 0, 0.5)).toMatchObject({ alarm: false, eValue: 1 });
});
