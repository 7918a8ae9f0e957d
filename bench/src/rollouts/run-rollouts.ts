/** Runs rollouts of one cell: every rule sees the same evidence, by the default stages, hour by hour. */
import { drawFrom, seedOf } from "../verdicts/normal.ts";
import { type Cell, nameOf } from "./cells.ts";
import { createSource, type Hour } from "./generate.ts";
import { type Rule, rules, type Said } from "./rules.ts";

export type RuleName = keyof typeof rules;
export const ruleNames = Object.keys(rules) as RuleName[];

/** What one rule made of one rollout. */
export interface Outcome {
  readonly said: Said;
  /** Until it decided, or gave up. */
  readonly hours: number;
  readonly pairs: number;
}

const mostHours = 336;
/** Shares of the default policy's stages. Each next one begins with the look after the one before it was found good. */
const stages = [0.2, 0.05, 0.25, 1];

/** @returns by rule: what it made of each of `count` rollouts. */
export function runRollouts(cell: Cell, count: number): Record<RuleName, Outcome[]> {
  const outcomes = Object.fromEntries(ruleNames.map((name) => [name, [] as Outcome[]])) as Record<RuleName, Outcome[]>;
  for (let i = 0; i < count; i++) {
    for (const name of ruleNames) {
      // The same numbers for each rule until one of them goes on to the next stage.
      const source = createSource(cell, drawFrom([seedOf(nameOf(cell)), i, 1]));
      outcomes[name].push(runOne(cell, rules[name](), source));
    }
  }
  return outcomes;
}

function runOne(cell: Cell, rule: Rule, source: (devices: number) => Hour): Outcome {
  let all = noHour;
  let last: Hour | null = null;
  let stage = 0;
  const waiting: { hour: Hour; stage: number }[] = [];
  for (let hours = 1; hours <= mostHours; hours++) {
    waiting.push({ hour: source(Math.max(1, Math.ceil((stages[stage] ?? 1) * cell.devices))), stage });
    const come = hours > cell.labelDelay ? waiting.shift() : undefined;
    if (!come) continue;
    const { hour } = come;
    all = plus(all, hour);
    if (stage === stages.length - 1) last = come.stage === stage ? plus(last ?? noHour, hour) : (last ?? noHour);
    const said = rule.look(hour, all, last);
    if (said === "rollback") return { said, hours, pairs: all.pairs };
    if (said === "promote" && ++stage === stages.length) return { said, hours, pairs: all.pairs };
  }
  return { said: "undecided", hours: mostHours, pairs: all.pairs };
}

const noHour: Hour = { pairs: 0, onlyCandidateRight: 0, onlyIncumbentRight: 0 };

function plus(a: Hour, b: Hour): Hour {
  return {
    pairs: a.pairs + b.pairs,
    onlyCandidateRight: a.onlyCandidateRight + b.onlyCandidateRight,
    onlyIncumbentRight: a.onlyIncumbentRight + b.onlyIncumbentRight,
  };
}
