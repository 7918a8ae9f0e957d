import { rolloutPolicy } from "@vedette/protocol/rollout";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DeviceEvidence, levelOf, together, togetherInLast } from "./even-shares.ts";
import { noEvidence } from "./evidence.ts";
import { judgeEvidence } from "./judge-evidence.ts";
import { noPairs } from "./paired-evidence.ts";

const total = (counts: readonly number[], level: number) =>
  counts.reduce((sum, count) => sum + Math.min(count, level), 0);

test("one or two devices are what there is; of more, none is above half of it, of twenty a tenth, of many a hundredth", () => {
  expect(levelOf([])).toBe(Number.POSITIVE_INFINITY);
  expect(levelOf([1e6, 1])).toBe(Number.POSITIVE_INFINITY);
  expect(levelOf([1e6, 100, 50])).toBe(150);
  expect(levelOf([100, 100, 100])).toBe(Number.POSITIVE_INFINITY);
  expect(levelOf([3_000_000, ...Array(19).fill(100)])).toBeCloseTo(1900 / 9);
  expect(levelOf([3_000_000, ...Array(9_999).fill(100)])).toBeCloseTo(9_999 / 0.99);
  // Ten of a hundred that have all the traffic may have it.
  expect(levelOf([...Array(10).fill(10_000), ...Array(90).fill(0)])).toBe(Number.POSITIVE_INFINITY);
});

test("[R52] no device is more than its share of what is counted, and no more is held down than that takes", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1e9 }), { maxLength: 30 }), (counts) => {
      const there = counts.filter((count) => count > 0);
      const level = levelOf(counts);
      if (there.length <= 2) {
        expect(level).toBe(Number.POSITIVE_INFINITY);
        return;
      }
      const share = Math.max(Math.min(0.5, 2 / there.length), 0.1);
      const held = Math.min(level, Math.max(...there));
      expect(held).toBeLessThanOrEqual(share * total(there, level) * (1 + 1e-9));
      if (level === Number.POSITIVE_INFINITY) return;
      expect(level * 1.001).toBeGreaterThan(share * total(there, level * 1.001));
    }),
  );
});

const policy = rolloutPolicy.parse({ metrics: [{ metric: "unfit", margin: 0.02 }] });
/** Rows of one device, of which a share only the incumbent answered; below 0: only the candidate. */
function device(rows: number, worse: number): DeviceEvidence {
  const lost = Math.round(rows * Math.abs(worse));
  const fit = worse > 0 ? { onlyIncumbentFit: lost } : { onlyCandidateFit: lost };
  return { pairs: { ...noPairs, rows, bothFit: rows - lost, agreed: rows - lost, ...fit }, labels: noEvidence.labels };
}
const judge = (devices: readonly DeviceEvidence[]) => judgeEvidence({ ...noEvidence, ...together(devices) }, policy);

describe("[R52] one device of twenty that tells millions of rows", () => {
  const honest = (worse: number) => Array.from({ length: 19 }, () => device(500, worse));

  test("does not promote what is worse on the others", () => {
    const verdict = judge([device(3_000_000, 0), ...honest(0.05)]);
    expect(verdict.verdict).toBe("rollback");
    // Even where it says that the candidate alone is right.
    expect(judge([device(3_000_000, -0.2), ...honest(0.05)]).verdict).not.toBe("promote");
  });

  test("does not take back what is well on the others for what it says itself", () => {
    expect(judge([device(3_000_000, 0.1), ...honest(0)]).verdict).toBe("promote");
  });

  test("does not make a handful of rows of the others enough", () => {
    const few = Array.from({ length: 19 }, () => device(5, 0));
    const { verdict, findings } = judge([device(3_000_000, 0), ...few]);
    expect(verdict).toBe("undecided");
    expect(findings[0]?.n).toBeLessThan(120);
    expect(findings[0]?.more).toBeGreaterThan(0);
  });
});

describe("[J6] in the last stage", () => {
  const before = (of: DeviceEvidence) => ({ ...of, joined: false });
  const joined = (of: DeviceEvidence) => ({ ...of, joined: true });
  const inLast = (devices: Parameters<typeof togetherInLast>[0], part: number) =>
    judgeEvidence({ ...noEvidence, ...togetherInLast(devices, { pairs: part, labels: part }) }, policy);

  test("devices of the former cohort do not promote what is worse on those that joined, nor before these have told", () => {
    const old = [1, 2, 3].map(() => before(device(500, 0)));
    expect(inLast(old, 1 / 2)).toMatchObject({ verdict: "undecided", findings: [{ says: "no_evidence" }] });
    const wrong = [1, 2, 3].map(() => joined(device(10, 0.1)));
    expect(inLast([...old, ...wrong], 1 / 2).verdict).toBe("undecided");
    const more = [1, 2, 3].map(() => joined(device(300, 0.1)));
    expect(inLast([...old, ...more], 1 / 2).verdict).toBe("rollback");
    expect(inLast([...old, ...[1, 2, 3].map(() => joined(device(150, 0)))], 1 / 2).verdict).toBe("promote");
  });

  test("[J7] one that floods does not stand in for the others that joined: together they say when it is enough", () => {
    const old = [1, 2, 3].map(() => before(device(500, 0)));
    const some = [joined(device(20, 0.1)), joined(device(20, 0.1))];
    expect(inLast([...old, ...some], 1 / 2).verdict).toBe("undecided");
    expect(inLast([...old, ...some, joined(device(3_000_000, 0))], 1 / 2).verdict).toBe("undecided");
    const more = [joined(device(200, 0)), joined(device(200, 0)), joined(device(3_000_000, 0))];
    expect(inLast([...old, ...more], 1 / 2).verdict).toBe("promote");
  });

  test("they count for at least half of their part, in rows, runs and labels; where nobody joined nothing is held down", () => {
    const told = fc.record({ rows: fc.integer({ min: 0, max: 1e6 }), joined: fc.boolean() });
    const part = fc.integer({ min: 1, max: 20 }).map((of) => of / 20);
    fc.assert(
      fc.property(fc.array(told, { maxLength: 20 }), part, (devices, part) => {
        const all = devices.map(({ rows, joined }) => {
          const labels = { n: rows, onlyCandidateRight: 0, onlyIncumbentRight: rows };
          const latency = { candidate: new Map([[1, rows]]), incumbent: new Map([[1, rows]]) };
          return { joined, labels, pairs: { ...noPairs, rows, latency } };
        });
        const level = levelOf(devices.map(({ rows }) => rows));
        const theirs = devices.filter((one) => one.joined).reduce((sum, { rows }) => sum + Math.min(rows, level), 0);
        const sum = togetherInLast(all, { pairs: part, labels: part });
        const runs = sum.pairs.latency.candidate.get(1) ?? 0;
        for (const n of [sum.pairs.rows, sum.labels.n, sum.labels.onlyIncumbentRight, runs])
          expect(theirs).toBeGreaterThanOrEqual((part / 2) * n - 1e-3);
        expect(togetherInLast(all, { pairs: 0, labels: 0 }).pairs.rows).toBeCloseTo(together(all).pairs.rows, 3);
      }),
    );
  });
});

/** Lehmer's generator: the same numbers in every run. */
function uniform(seed: number): () => number {
  let state = seed * 48271 + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/**
 * Share of rollouts that end so, looked at forty times: device 0 has most of the traffic, in bursts, and the others little.
 * @param worse and better: how often only the one stands, of the busy device and of each other one.
 */
function ended(as: "promote" | "rollback", busy: { worse: number; better: number }, others: typeof busy): number {
  const rollouts = 100;
  let ends = 0;
  for (let seed = 1; seed <= rollouts; seed++) {
    const random = uniform(seed);
    const told = Array.from({ length: 20 }, () => ({ rows: 0, worse: 0, better: 0 }));
    for (let look = 0; look < 40; look++) {
      for (const [d, one] of told.entries()) {
        const { worse, better } = d === 0 ? busy : others;
        const rows = d === 0 ? (look % 8 === 0 ? 8_000 : 0) : Math.floor(random() * 20);
        one.rows += rows;
        for (let i = 0; i < rows; i++) {
          const u = random();
          if (u < worse) one.worse++;
          else if (u < worse + better) one.better++;
        }
      }
      const devices = told.map(({ rows, worse, better }): DeviceEvidence => {
        const pairs = { ...noPairs, rows, onlyIncumbentFit: worse, onlyCandidateFit: better };
        return { pairs, labels: noEvidence.labels };
      });
      const { verdict } = judge(devices);
      if (verdict === as) ends++;
      if (verdict !== "undecided") break;
    }
  }
  return ends / rollouts;
}

test("[R52] looked at again and again, the errors are kept where one device has nearly all of the traffic", {
  timeout: 60_000,
}, () => {
  const equal = { worse: 0.03, better: 0.03 };
  expect(ended("rollback", equal, equal)).toBeLessThanOrEqual(0.05);
  const worse = { worse: 0.05, better: 0.03 };
  expect(ended("promote", worse, worse)).toBeLessThanOrEqual(0.05);
  // As good on the busy one, and worse by twice the margin on all others.
  expect(ended("promote", equal, { worse: 0.07, better: 0.03 })).toBeLessThanOrEqual(0.05);
});
