/** Rollouts as a table: how often each rule was wrong, with an interval, and how long it took. */
import { type Machine, machineLine } from "../report-format.ts";
import { clopperPearson } from "../verdicts/intervals.ts";
import { type Cell, nameOf } from "./cells.ts";
import { type Outcome, type RuleName, ruleNames } from "./run-rollouts.ts";

export interface CellResult {
  readonly cell: Cell;
  readonly outcomes: Readonly<Record<RuleName, readonly Outcome[]>>;
}

/** Wrong: a version that is no worse goes back, or one that is worse by the margin or more is promoted. */
export function wrongOf({ effect }: Cell, outcomes: readonly Outcome[]): number {
  const wrong = effect === 0 ? "rollback" : "promote";
  return outcomes.filter(({ said }) => said === wrong).length;
}

export function rolloutsReport(machine: Machine, results: readonly CellResult[], count: number): string {
  const lines = [
    "# Rollouts",
    "",
    machineLine(machine),
    "",
    `${count} rollouts a cell; an accuracy whose practical margin is 3 points, judged each hour for two weeks at most, by the default`,
    "stages. Effect 0: as good, so a rollback is wrong; effect 1: worse by the margin, and 5: by five, so a promotion is wrong. In a",
    "cell: wrong decisions [exact 95 % interval], undecided after two weeks, median hours to a decision. Allowed: 5 % wrong.",
    "",
    `| cell | ${ruleNames.join(" | ")} |`,
    `|---|${ruleNames.map(() => "---").join("|")}|`,
    ...results.map(
      ({ cell, outcomes }) =>
        `| ${nameOf(cell)} | ${ruleNames.map((name) => told(cell, outcomes[name])).join(" | ")} |`,
    ),
    "",
  ];
  return lines.join("\n");
}

function told(cell: Cell, outcomes: readonly Outcome[]): string {
  const n = outcomes.length;
  const wrong = wrongOf(cell, outcomes);
  const { low, high } = clopperPearson(wrong, n);
  const share = (part: number) => `${(100 * part).toFixed(1)}`;
  const undecided = outcomes.filter(({ said }) => said === "undecided").length;
  const hours = outcomes.flatMap((one) => (one.said === "undecided" ? [] : [one.hours])).sort((a, b) => a - b);
  const median = hours[Math.floor(hours.length / 2)];
  const bold = low > 0.05 ? "**" : "";
  return `${bold}${share(wrong / n)} %${bold} [${share(low)}, ${share(high)}], ${share(undecided / n)} % open, ${median ?? "–"} h`;
}
