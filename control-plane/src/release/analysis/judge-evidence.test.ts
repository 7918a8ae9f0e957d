import { type RolloutPolicy, rolloutPolicy } from "@vedette/protocol/rollout";
import { latencyBin, type PairCounts } from "@vedette/protocol/shadow";
import { describe, expect, test } from "vitest";
import { uniform } from "../../../test/uniform.ts";
import { type MeanState, noMean, observeValue } from "../../statistics/mean-sequence.ts";
import { type Evidence, noEvidence } from "./evidence.ts";
import { judgeEvidence } from "./judge-evidence.ts";
import { addPairs, noPairs } from "./paired-evidence.ts";

const policy = (metrics: readonly object[]): RolloutPolicy => rolloutPolicy.parse({ metrics });
const unfit = { metric: "unfit", margin: 0.02 };
const accuracy = { metric: "accuracy", margin: 0.03 };

function parcel(rows: number, over: Partial<PairCounts> = {}): PairCounts {
  return {
    rows,
    skipped: 0,
    fit: [rows, 0, 0, 0],
    agreed: rows,
    table: [],
    value: null,
    confidence: null,
    latency: { answering: [[latencyBin(2), rows]], beside: [[latencyBin(2), rows]] },
    ...over,
  };
}
const paired = (counts: PairCounts, answering: "candidate" | "incumbent" = "incumbent"): Evidence => ({
  ...noEvidence,
  pairs: addPairs(noPairs, counts, answering),
});

describe("a version that is as good", () => {
  test("is promoted once that is sure, and before that is said to need more", () => {
    const early = judgeEvidence(paired(parcel(100)), policy([unfit]));
    expect(early.verdict).toBe("undecided");
    const [finding] = early.findings;
    expect(finding?.more).toBeGreaterThan(100);
    const later = judgeEvidence(paired(parcel(100 + (finding?.more ?? 0))), policy([unfit]));
    expect(later.verdict).toBe("promote");
    expect(later.why).toMatch(
      /^unfit: worse by 0 \[-0\.0\d+, 0\.0\d+\] of \d+ pairs, surely under the margin of 0\.02$/,
    );
  });

  test("waits for all that is required, and for nothing else", () => {
    const evidence = paired(parcel(5000));
    expect(judgeEvidence(evidence, policy([unfit, accuracy]))).toMatchObject({
      verdict: "undecided",
      why: "accuracy: no label counts yet that is joined to a row that both versions were asked",
    });
    expect(judgeEvidence(evidence, policy([unfit, { ...accuracy, required: false }])).verdict).toBe("promote");
  });
});

describe("[J3] who answers makes no difference to who is found worse", () => {
  const failing = { fit: [60, 40, 0, 0] as PairCounts["fit"], agreed: 60 };
  test("the version beside fails: as the candidate it goes back, as the incumbent the candidate stays", () => {
    expect(judgeEvidence(paired(parcel(100, failing), "incumbent"), policy([unfit])).verdict).toBe("rollback");
    const better = judgeEvidence(paired(parcel(100, failing), "candidate"), policy([unfit]));
    expect(better.verdict).toBe("promote");
    expect(better.findings[0]?.estimate).toBeCloseTo(-0.4);
  });
});

test("labels tell who was right where the two do not agree", () => {
  const labels = (n: number, onlyCandidateRight: number, onlyIncumbentRight: number): Evidence => ({
    ...noEvidence,
    labels: { n, onlyCandidateRight, onlyIncumbentRight },
  });
  expect(judgeEvidence(labels(400, 5, 60), policy([accuracy])).verdict).toBe("rollback");
  expect(judgeEvidence(labels(400, 60, 5), policy([accuracy])).verdict).toBe("promote");
  expect(judgeEvidence(labels(100, 10, 10), policy([accuracy])).verdict).toBe("undecided");
});

test("surely worse by surely less than matters is as good", () => {
  const counts = parcel(1_000_000, { fit: [990_000, 10_000, 0, 0], agreed: 990_000 });
  const verdict = judgeEvidence(paired(counts), policy([unfit]));
  expect(verdict.findings[0]?.low).toBeGreaterThan(0);
  expect(verdict.verdict).toBe("promote");
});

test("disagreement, confidence, drift and business metrics are told in their own units", () => {
  const counts = parcel(2000, { agreed: 1000, confidence: { n: 2000, sum: -400, sumSquares: 200 } });
  const evidence: Evidence = {
    ...paired(counts),
    drift: { candidate: { devices: 200, critical: 150 }, incumbent: { devices: 200, critical: 0 } },
    business: new Map([
      ["revenue", { candidate: { n: 500, mean: 8, squares: 500 }, incumbent: { n: 500, mean: 10, squares: 500 } }],
    ]),
  };
  const { findings } = judgeEvidence(
    evidence,
    policy([
      { metric: "disagreement", margin: 0.1 },
      { metric: "confidence", margin: 0.05 },
      { metric: "drift", margin: 0.1 },
      { metric: "business:revenue", margin: 0.5, better: "higher" },
    ]),
  );
  expect(findings.map(({ says }) => says)).toEqual(["worse", "worse", "worse", "worse"]);
  expect(findings[1]?.estimate).toBeCloseTo(0.2);
  expect(findings[3]?.estimate).toBeCloseTo(2);
});

describe("[R69] values that hardly ever differ", () => {
  // Of a hundred visits some buy: a candidate's first thirty may well all be nothing.
  const wrong = (says: string, truth: number, incumbent: MeanState, better: "higher" | "lower") => {
    const rule = { metric: "business:bought", margin: 0.02, better };
    const random = uniform(7);
    const runs = 300;
    let found = 0;
    for (let run = 0; run < runs; run++) {
      let candidate = noMean;
      for (let n = 1; n <= 400; n++) {
        candidate = observeValue(candidate, random() < truth ? 1 : 0);
        if (n < 30 || n % 10 > 0) continue;
        const evidence = { ...noEvidence, business: new Map([["bought", { candidate, incumbent }]]) };
        if (judgeEvidence(evidence, policy([rule])).verdict !== says) continue;
        found++;
        break;
      }
    }
    return found / runs;
  };
  const share = (n: number, mean: number): MeanState => ({ n, mean, squares: n * mean * (1 - mean) });

  test("take nothing back that sells as much, within the policy's error", () => {
    for (const bought of [0.01, 0.03, 0.05])
      expect(wrong("rollback", bought, share(5000, bought), "higher")).toBeLessThan(0.05);
  });

  test("promote nothing that is worse by the margin, within the policy's error", () => {
    for (const n of [30, 5000]) expect(wrong("promote", 0.025, share(n, 0), "lower")).toBeLessThan(0.05);
  });

  test("and where there are enough of them, all of them equal, a version is as good, or worse", () => {
    const said = (mine: number, theirs: number) => {
      const [candidate, incumbent] = [share(2000, mine), share(2000, theirs)];
      const evidence = { ...noEvidence, business: new Map([["bought", { candidate, incumbent }]]) };
      return judgeEvidence(evidence, policy([{ metric: "business:bought", margin: 0.02, better: "higher" }])).verdict;
    };
    expect([said(0, 0), said(1, 1), said(0, 1), said(1, 0), said(0, 0.1)]).toEqual([
      ...["promote", "promote", "rollback", "promote", "rollback"],
    ]);
  });
});

test("business metrics keep their own part of the errors, at either end", () => {
  const business = new Map([
    ["revenue", { candidate: { n: 1000, mean: 10, squares: 1000 }, incumbent: { n: 1000, mean: 10, squares: 1000 } }],
  ]);
  const found = (errors: object) => {
    const metrics = [{ metric: "business:revenue", margin: 0.5, better: "higher" }];
    const { findings } = judgeEvidence({ ...noEvidence, business }, rolloutPolicy.parse({ metrics, errors }));
    return findings[0];
  };
  const even = found({ wrongPromotion: 0.05, wrongRollback: 0.05 });
  const strict = found({ wrongPromotion: 0.05, wrongRollback: 0.001 });
  expect(strict?.high).toBe(even?.high);
  expect(strict?.low).toBeLessThan(even?.low ?? 0);
});

test("the error of a rollback is shared by weight: more metrics, more evidence", () => {
  const low = (metrics: object[]) => {
    const counts = parcel(100, { fit: [80, 20, 0, 0] });
    return judgeEvidence(paired(counts), policy(metrics)).findings[0]?.low ?? 0;
  };
  expect(low([unfit, accuracy, { metric: "confidence", margin: 1 }])).toBeLessThan(low([unfit]));
});
