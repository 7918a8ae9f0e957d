/**
 * One rollout by the real engine: `advance` and the judge over a generated world, time injected. A step is an hour, or less
 * where a device is through before: so that limits of how many may be under way cost what they really cost.
 */
import { rolloutPolicy } from "@vedette/protocol/rollout";
import type { Rollout } from "../../../control-plane/src/db/rollout-records.ts";
import { type Evidence, noEvidence } from "../../../control-plane/src/release/analysis/evidence.ts";
import { judgeStage } from "../../../control-plane/src/release/analysis/judge-evidence.ts";
import { advance, isOver } from "../../../control-plane/src/release/rollouts/advance.ts";
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
  let last: Hour | null = null;
  const waiting: { readonly pairs: Hour; readonly at: number; readonly inLast: boolean }[] = [];
  while (hours < mostHours) {
    for (let next = waiting[0]; next && next.at <= hours; next = waiting[0]) {
      waiting.shift();
      whole = plus(whole, next.pairs);
      if (next.inLast) last = plus(last ?? noHour, next.pairs);
    }
    if (isInLast(rollout)) last ??= noHour;
    const verdict = rollout.members.size === 0 ? null : judgeStage(evidenceOf(whole), last && evidenceOf(last), policy);
    const world = { devices: fleet.facts, assignable: "yes" as const, gate, blockedBy: null, verdict };
    rollout = advance(rollout, world, began + hours * hourMs).rollout;
    if (isOver(rollout.state)) break;
    fleet.follow(rollout);
    const toNextHour = Math.floor(hours + 1e-9) + 1 - hours;
    const step = Math.max(leastHours, Math.min(toNextHour, fleet.untilCounted(policy.served)));
    hours += step;
    const pairs = drawPairs(truth, fleet.live(step), draw);
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
    ...{ id: 1, model: "generated", version: 2, digest: candidate, salt, policy, state: "running", stage: 0 },
    ...{ stageSince: null, approvals: [], ramp: { from: null, takings: [] }, pausedAt: null, undecidedFrom: null },
    ...{ verdict: null, why: "", createdAt: began, createdBy: "bench", endedAt: null, members: new Map() },
  };
}

function evidenceOf({ pairs, ...right }: Hour): Evidence {
  return { ...noEvidence, labels: { n: pairs, ...right } };
}
