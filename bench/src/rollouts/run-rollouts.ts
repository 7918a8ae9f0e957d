/**
 * Runs rollouts of one cell: by the real engine, and by other rules, which see as many devices as the default stages name, hour by
 * hour, none of them away or late.
 */
import { drawFrom, seedOf } from "../verdicts/normal.ts";
import { type Cell, nameOf } from "./cells.ts";
import { createSource, type Hour, noHour, plus } from "./generate.ts";
import { mostHours, type Outcome } from "./outcome.ts";
import { type Rule, rules } from "./rules.ts";
import { runEngine } from "./run-engine.ts";

const others = Object.keys(rules) as (keyof typeof rules)[];
export type RuleName = "vedette" | keyof typeof rules;
export const ruleNames: readonly RuleName[] = ["vedette", ...others];

/** Shares of the default policy's stages. Each next one begins with the look after the one before it was found good. */
const stages = [0.2, 0.05, 0.25, 1];

/** @returns by rule: what it made of each of the rollouts from number `from` to before `count`. */
export function runRollouts(cell: Cell, count: number, from = 0): Record<RuleName, Outcome[]> {
  const outcomes = Object.fromEntries(ruleNames.map((name) => [name, [] as Outcome[]])) as Record<RuleName, Outcome[]>;
  const seed = seedOf(nameOf(cell));
  for (let i = from; i < count; i++) {
    outcomes.vedette.push(runEngine(cell, `${seed}/${i}`, drawFrom([seed, i, 2])));
    // The same numbers for each rule until one of them goes on to the next stage.
    for (const name of others)
      outcomes[name].push(runRule(cell, rules[name](), createSource(cell, drawFrom([seed, i, 1]))));
  }
  return outcomes;
}

function runRule(cell: Cell, rule: Rule, source: (devices: number) => Hour): Outcome {
  let all = noHour;
  let stage = 0;
  const waiting: Hour[] = [];
  for (let hours = 1; hours <= mostHours; hours++) {
    waiting.push(source(Math.max(1, Math.ceil((stages[stage] ?? 1) * cell.devices))));
    const hour = hours > cell.labelDelay ? waiting.shift() : undefined;
    if (!hour) continue;
    all = plus(all, hour);
    const said = rule.look(hour, all);
    if (said === "rollback") return { said, hours, pairs: all.pairs };
    if (said === "promote" && ++stage === stages.length) return { said, hours, pairs: all.pairs };
  }
  return { said: "undecided", hours: mostHours, pairs: all.pairs };
}
