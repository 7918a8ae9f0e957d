/**
 * One rollout by the real engine: `advance` and the judge over a generated world, time injected. A step is an hour, or less
 * where a device is through before: so that limits of how many may be under way cost what they really cost.
 */
import { rolloutPolicy } from "@vedette/protocol/rollout";
import type { Rollout } from "../../../control-plane/src/db/rollout-records.ts";
import { togetherInLast } from "../../../control-plane/src/release/analysis/even-shares.ts";
import { type Evidence, noEvidence } from "../../../control-plane/src/release/analysis/evidence.ts";
import { judgeStage } from "../../../control-plane/src/release/analysis/judge-evidence.ts";
import { joinedInLast, partsOfJoined } from "../../../control-plane/src/release/analysis/last-stage.ts";
import { noPairs } from "../../../control-plane/src/release/analysis/paired-evidence.ts";
import { advance, isOver } from "../../../control-plane/src/release/rollouts/advance.ts";
import { notBegun } from "../../../control-plane/src/release/rollouts/not-begun.ts";
import type { DeviceFacts } from "../../../control-plane/src/release/rollouts/world.ts";
import type { Draw } from "../verdicts/normal.ts";
import { type Cell, margin } from "./cells.ts";
import { drawPairs, type Hour, noHour, plus, truthOf } from "./generate.ts";
import { candidate, createGeneratedFleet } from "./generated-fleet.ts";
import { mostHours, type Outcome } from "./outcome.ts";

/** The defaults, judged by accuracy alone: both errors 5 %, over all looks. */
const policy = rolloutPolicy.parse({ metrics: [{ metric: "accuracy", margin }] });
const gate = { passed: true, why: "generated" };
const began = Date.UTC(2026, 0, 5);
const hourMs = 3_600_000;
const leastHours = 1 / 60;

/** @param salt orders the devices. */
export function runEngine(cell: Cell, salt: string, draw: Draw): Outcome {
  const fleet = createGeneratedFleet(cell, draw);
  const truth = truthOf(cell);
  let rollout = newRollout(salt);
  let hours = 0;
  let whole = noHour;
  let last: ByJoining | null = null;
  const waiting: { readonly pairs: ByJoining; readonly at: number; readonly inLast: boolean }[] = [];
  while (hours < mostHours) {
    for (let next = waiting[0]; next && next.at <= hours; next = waiting[0]) {
      waiting.shift();
      const [others, joined]: ByJoining = next.pairs;
      whole = plus(whole, plus(others, joined));
      if (next.inLast) last = [plus(last?.[0] ?? noHour, others), plus(last?.[1] ?? noHour, joined)];
    }
    if (isInLast(rollout)) last ??= [noHour, noHour];
    const wall = began + hours * hourMs;
    const part = partOf(rollout, fleet.facts, wall);
    const verdict =
      rollout.members.size === 0 ? null : judgeStage(evidenceOf(whole), last && inLastStage(last, part), policy);
    const world = { devices: fleet.facts, assignable: "yes" as const, gate, blockedBy: null, wall, verdict };
    rollout = advance(rollout, world, wall).rollout;
    if (isOver(rollout.state)) break;
    fleet.follow(rollout);
    const toNextHour = Math.floor(hours + 1e-9) + 1 - hours;
    const step = Math.max(leastHours, Math.min(toNextHour, fleet.untilCounted(policy.served)));
    hours += step;
    const now = rollout;
    const [others, joined] = fleet.live(step, (agent) => joinedInLast(now, agent));
    const pairs: ByJoining = [drawPairs(truth, others, draw), drawPairs(truth, joined, draw)];
    waiting.push({ pairs, at: hours + cell.labelDelay, inLast: isInLast(rollout) });
  }
  const said = rollout.state === "promoted" ? "promote" : rollout.state === "rolled_back" ? "rollback" : "undecided";
  return { said, hours: Math.round(10 * hours) / 10, pairs: whole.pairs, reached: fleet.reached / cell.devices };
}

function isInLast({ stage, stageSince }: Rollout): boolean {
  return stage === policy.stages.length - 1 && stageSince !== null;
}

function newRollout(salt: string): Rollout {
  return {
    ...{ id: 1, model: "generated", version: 2, digest: candidate, salt, policy, experiment: null },
    ...{ createdAt: began, createdBy: "bench" },
    ...notBegun,
  };
}

/** Of those who joined in the last stage, after those of all others. */
type ByJoining = readonly [others: Hour, joined: Hour];

function evidenceOf({ pairs, ...right }: Hour): Evidence {
  return { ...noEvidence, labels: { n: pairs, ...right } };
}

/** All devices here that answer tell, and are labelled. */
function partOf(rollout: Rollout, facts: readonly DeviceFacts[], now: number): number {
  const told = new Map(facts.map(({ agent }) => [agent, { from: now, at: now }]));
  return partsOfJoined(rollout, facts, { told, labelled: new Map(), now }).pairs;
}

function inLastStage([others, joined]: ByJoining, part: number): Evidence {
  const told = (hour: Hour, joined: boolean) => ({ pairs: noPairs, labels: evidenceOf(hour).labels, joined });
  return { ...noEvidence, ...togetherInLast([told(others, false), told(joined, true)], { pairs: part, labels: part }) };
}
