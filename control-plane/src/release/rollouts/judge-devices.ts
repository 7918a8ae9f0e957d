/** What the devices themselves say of a stage, beside what was measured: who counts, and who failed or reverted. Pure. */
import type { Finding, RolloutVerdict } from "@vedette/protocol/rollout";
import type { Member, Rollout } from "../../db/rollout-records.ts";
import { percent } from "../../percent.ts";
import { candidateKind } from "../experiments/join-arms.ts";
import { cameInTime } from "../in-time.ts";
import { waitedFor } from "./step-member.ts";

const failing = ({ state }: Member) => state === "failed" || state === "reverted";
const reached = (member: Member) => member.reached || failing(member);

/**
 * The finding `devices`: worse where too many failed, fine where none is waited for, in shares of the members reached.
 * @param now UTC ms.
 */
export function judgeDevices(rollout: Rollout, now: number): Finding {
  const members = [...rollout.members.values()];
  const kind = rollout.experiment ? candidateKind(rollout) : rollout.policy.stages[rollout.stage]?.kind;
  const { failures } = rollout.policy;
  const failed = members.filter(failing);
  const n = members.filter(reached).length;
  const estimate = n === 0 ? null : failed.length / n;
  const common = { metric: "devices", estimate, low: null, high: null, margin: failures.share, n };
  const bad = whatFailed(failed.length, n);
  if (failed.length >= failures.atLeast && failed.length > failures.share * n) {
    const first = failed[0];
    const why = `${bad}, more than ${percent(failures.share)}: ${first?.agent}: ${first?.reason ?? first?.state}`;
    return { ...common, says: "worse", more: null, why };
  }
  const ofStage = members.filter((member) => member.kind === kind);
  const counted = ofStage.filter(({ state }) => state === "counted").length;
  const open = ofStage.filter((one) => isWaitedFor(rollout, one, now)).length;
  if (open === 0 && counted > 0) {
    const why = `${countOf(counted, ofStage.length)}${fewerThanHalf(ofStage) ?? ""}; ${bad}`;
    return { ...common, says: "fine", more: null, why };
  }
  const none = counted === 0 && open === 0;
  const why = none
    ? `no device of this stage counts, and none is under way (${inStates(ofStage)})`
    : `${countOf(counted, ofStage.length)}${ofStage.length === 1 ? "" : `, ${open} ${open === 1 ? "is" : "are"} waited for`}; ${bad}`;
  return { ...common, says: n === 0 ? "no_evidence" : "undecided", more: none ? null : open, why };
}

/** Whether the stage waits for it. Those who come late are judged with the others. */
export function isWaitedFor(rollout: Rollout, member: Member, now: number): boolean {
  return waitedFor(member, rollout.policy.timeoutMinutes, now) && cameInTime(rollout, member);
}

/**
 * For people, where of a stage's devices that were there most did not come to count: what counts passes it all the same. Null where
 * half of them do. Who is away, left out or still under way is no matter.
 */
export function fewerThanHalf(ofStage: readonly Member[]): string | null {
  const lost = ofStage.filter(({ state }) => state === "timed_out" || state === "failed");
  const counted = ofStage.filter(({ state }) => state === "counted").length;
  if (lost.length <= counted) return null;
  return `, fewer than half of the ${lost.length + counted} that were there (${inStates(lost)})`;
}

/** As `1 timed out, 2 offline`. */
function inStates(members: readonly Member[]): string {
  const states = [...new Set(members.map(({ state }) => state))];
  const told = states.map(
    (one) => `${members.filter(({ state }) => state === one).length} ${one.replaceAll("_", " ")}`,
  );
  return told.join(", ") || "it has none";
}

function countOf(counted: number, all: number): string {
  if (all !== 1) return `${counted} of ${all} devices count`;
  return counted === 1 ? "its one device counts" : "its one device does not count yet";
}

/** @param reached that have shown that they follow. */
function whatFailed(failed: number, reached: number): string {
  if (reached === 0) return "none has followed yet";
  if (reached === 1) return `the one that it reached ${failed === 1 ? "failed or reverted" : "is well"}`;
  return `${failed === 0 ? "none" : failed} of the ${reached} that it reached failed or reverted`;
}

/** Both together: each may roll back, and a promotion needs both. */
export function combine(devices: Finding, analysis: RolloutVerdict): RolloutVerdict {
  const findings = [devices, ...analysis.findings];
  if (devices.says === "worse") return { ...analysis, verdict: "rollback", findings, why: devices.why };
  if (analysis.result) return { ...analysis, findings };
  if (analysis.verdict === "rollback") return { ...analysis, findings };
  if (analysis.verdict === "promote" && devices.says === "fine") {
    return { ...analysis, findings, why: `${analysis.why}; ${devices.why}` };
  }
  const open = [
    ...(devices.says === "fine" ? [] : [devices.why]),
    ...(analysis.verdict === "promote" ? [] : [analysis.why]),
  ];
  return { ...analysis, verdict: "undecided", findings, why: open.join("; ") };
}

/** Where the evidence cannot be read: nothing is promoted, and devices that fail are taken back all the same. */
export function unjudged({ policy }: Rollout, cause: string): RolloutVerdict {
  const why = `the evidence cannot be read: ${cause}`;
  const nothing = { says: "no_evidence", estimate: null, low: null, high: null, n: 0, more: null, why } as const;
  return {
    verdict: "undecided",
    findings: policy.metrics.map(({ metric, margin }) => ({ metric, margin, ...nothing })),
    why,
  };
}
