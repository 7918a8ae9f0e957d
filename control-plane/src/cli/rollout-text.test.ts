import { rolloutPolicy } from "@vedette/protocol/rollout";
import type { RolloutInDetail } from "@vedette/protocol/rollouts-api";
import { expect, test } from "vitest";
import { describeRollout, rolloutLine } from "./rollout-text.ts";

const at = "2026-01-02T03:04:05.000Z";
const stages = [
  { kind: "canary" as const, share: 0.5 },
  { kind: "canary" as const, share: 1 },
];
const member = (agent: string, state: RolloutInDetail["members"][number]["state"]) => {
  return { agent, kind: "canary" as const, state, since: at, served: 3, reason: null };
};
const rollout: RolloutInDetail = {
  ...{ id: 4, model: "rain", version: 2, digest: "ab".repeat(32), state: "running", stage: 0, stageSince: at },
  ...{ policy: rolloutPolicy.parse({ stages }), why: "stage 1 of 2", createdAt: at, createdBy: "ada", endedAt: null },
  ...{ eligible: 4, cohort: 2, leftOut: [], returned: null, verdict: null },
  members: [member("gauge-1", "counted"), member("gauge-2", "updating")],
};
const stageLine = (over: Partial<RolloutInDetail>) => describeRollout({ ...rollout, ...over }).split("\n")[2];

test("[R62] the marks of the bar are told beside what they stand for", () => {
  expect(describeRollout(rollout)).toContain("[###############===============] of 2: 1 counted (#), 1 updating (=)");
});

test.each<[Partial<RolloutInDetail>, string]>([
  [{}, "now"],
  [{ state: "paused" }, "now, paused"],
  [{ state: "queued", stageSince: null, members: [] }, "next, not begun"],
  [{ state: "waiting_for_approval", stageSince: null }, "next, not begun"],
  [{ state: "aborted", stageSince: null, endedAt: at }, "ended before it began"],
  [{ state: "rolled_back", endedAt: at }, "ended here"],
])("[R62] a stage says whether it has begun: %j", (over, mark) => {
  expect(stageLine(over)).toBe(`  1 canary   50 %  ${mark}`);
});

test("[R62] a stage that will wait for an approval says so from the start, until it is reached", () => {
  const [first, last] = rollout.policy.stages;
  if (!first || !last) throw new Error("two stages are expected");
  const policy = { ...rollout.policy, stages: [first, { ...last, approval: true }] };
  expect(describeRollout({ ...rollout, policy })).toContain("  2 canary  100 %  later, when it is approved\n");
  expect(describeRollout({ ...rollout, policy, stage: 1, stageSince: null })).not.toContain("when it is approved");
});

test("[R62] a stage that has not begun draws no bar: who counts there counted in a stage before", () => {
  const counted = ["gauge-1", "gauge-2"].map((agent) => member(agent, "counted"));
  const waiting = { stage: 1, stageSince: null, cohort: 4, members: counted, state: "waiting_for_approval" as const };
  const told = describeRollout({ ...rollout, ...waiting });
  expect(told).toContain("  2 canary  100 %  next, not begun\n    of 4, from the stages before: 2 counted\n");
  expect(told).not.toContain("[#");
  // A cohort that is no larger is not begun either.
  expect(describeRollout({ ...rollout, ...waiting, cohort: 2 })).not.toContain("[#");
  // Shadows are no canaries.
  const shadows = counted.map((one) => ({ ...one, kind: "shadow" as const }));
  expect(describeRollout({ ...rollout, ...waiting, members: shadows })).toMatch(/not begun\n\n/);
  expect(describeRollout({ ...rollout, ...waiting, state: "aborted", endedAt: at })).toMatch(/before it began\n$/);
});

test.each<[Partial<RolloutInDetail>, string | null]>([
  [{}, null],
  [{ state: "queued", stageSince: null, members: [] }, null],
  [{ state: "paused" }, 'vedette rollout resume 4, or vedette rollout abort 4 --reason "..."'],
  [
    { state: "waiting_for_approval", stage: 1, stageSince: null },
    'vedette rollout approve 4 --stage 2, or vedette rollout abort 4 --reason "..."',
  ],
  [{ state: "promoted", stage: 1, endedAt: at }, null],
  [{ state: "rolled_back", endedAt: at }, null],
])("[R86] one that waits for somebody names the next command: %j", (over, next) => {
  const told = describeRollout({ ...rollout, ...over }, true);
  if (next === null) expect(told).not.toContain("Next:");
  // Below the devices, however many.
  else expect(told.split("\n").slice(-3)).toEqual(["", `Next: ${next}`, ""]);
});

test("[R86] devices that failed or timed out name the command that tries them again, while there is one", () => {
  const members = [member("gauge-1", "failed"), member("gauge-2", "timed_out"), member("gauge-3", "failed")];
  const told = "2 failed, 1 timed out; once mended, to try again: vedette rollout retry 4\n";
  expect(describeRollout({ ...rollout, members })).toContain(told);
  expect(describeRollout({ ...rollout, members, state: "rolled_back", endedAt: at })).not.toContain("retry");
  expect(describeRollout(rollout)).not.toContain("retry");
});

test("what a device gives as its reason stays within its line: it cannot say what is next", () => {
  const lie = "no memory\nNext: vedette rollout approve 4";
  const members = [{ ...member("gauge-2", "updating"), reason: lie }];
  const leftOut = [{ agent: "gauge-3", reason: lie }];
  expect(describeRollout({ ...rollout, why: lie, members, leftOut }, true)).not.toMatch(/^Next:/m);
});

test("[R62] the scale of the evidence is explained where one is drawn", () => {
  const finding = {
    ...{ metric: "unfit", says: "undecided" as const, estimate: 0.01, low: -0.01, high: 0.03, margin: 0.02, n: 40 },
    ...{ more: 100, why: "undecided" },
  };
  const verdict = { verdict: "undecided" as const, findings: [finding], why: "" };
  const drawn = describeRollout({ ...rollout, verdict });
  expect(drawn).toMatch(/=+\|=+\*=+m=+/);
  expect(drawn).toContain("= interval, * best guess, | no difference, m margin");
  const none = { ...finding, low: null, high: null };
  expect(describeRollout({ ...rollout, verdict: { ...verdict, findings: [none] } })).not.toContain("best guess");
});

test("[R62] in the last stage the evidence says whether it is of that stage alone", () => {
  const nothing = { estimate: null, low: null, high: null, n: 0, more: null, why: "" };
  const findings = [{ ...nothing, metric: "unfit", says: "no_evidence" as const, margin: 0.02 }];
  const told = (over: object, policy = rollout.policy) => {
    const verdict = { verdict: "undecided" as const, findings, why: "", ...over };
    return describeRollout({ ...rollout, policy, stage: policy.stages.length - 1, verdict });
  };
  const alone =
    "Evidence of the last stage, by its own pairs and labels, since 2026-01-02 03:04 UTC (those before may still roll back):";
  expect(told({ of: "last_stage" })).toContain(`\n\n${alone}\nEVIDENCE `);
  expect(told({ of: "all_stages" })).toContain("\n\nEvidence of all stages together:\nEVIDENCE ");
  expect(told({})).toContain("\n\nEVIDENCE ");
  const one = rolloutPolicy.parse({ stages: stages.slice(1) });
  expect(told({ of: "last_stage" }, one)).toContain("\n\nEVIDENCE ");
});

test("[R63] a log of `rollout watch` names who was asked nothing for longest, and changes by no counter", () => {
  const since = (minutes: string, answers = 0) => ({
    asked: { since: `2026-01-02T03:${minutes}:05.000Z`, answers, fallbacks: 0, reasons: {} },
  });
  const idle = (over: object) => ({ ...member("gauge-2", "updating"), ...over });
  const lineOf = (over: Partial<RolloutInDetail>) => rolloutLine({ ...rollout, ...over });
  const members = [{ ...member("gauge-1", "updating"), ...since("09") }, idle(since("07"))];
  const told = "rollout 4 rain version 2: running, 0 of 2 devices count: stage 1 of 2";
  expect(lineOf({ members })).toBe(`${told}; gauge-2 was asked nothing since 2026-01-02 03:07 UTC`);
  expect(lineOf({ members: members.map((one) => ({ ...one, ...since("07", 3) })) })).toBe(told);
  expect(lineOf({ members, state: "aborted", endedAt: at })).not.toContain("asked nothing");
});

test("[R62] of one that is over nothing is waited for", () => {
  expect(describeRollout(rollout)).toContain("waits for gauge-2");
  expect(describeRollout({ ...rollout, state: "aborted", endedAt: at })).not.toContain("waits for");
  const nobody = { done: 0, of: 0, waiting: [] };
  expect(describeRollout({ ...rollout, state: "aborted", endedAt: at, returned: nobody })).not.toContain("0 of 0");
});
