/** Rollouts as a table: how often each rule was wrong, with an interval, and how long it took. */
import { type Machine, machineLine } from "../report-format.ts";
import { clopperPearson } from "../verdicts/intervals.ts";
import { agentMargin } from "./agent-cells.ts";
import { type Cell, nameOf } from "./cells.ts";
import type { Outcome } from "./outcome.ts";
import { type RuleName, ruleNames } from "./run-rollouts.ts";

/** One cell as it was run. */
export interface KeptCell {
  readonly name: string;
  readonly count: number;
  readonly commits: readonly string[];
  readonly outcomes: Readonly<Partial<Record<RuleName, readonly Outcome[]>>>;
}
type Ran = KeptCell & { readonly cell: Cell };

/** Wrong: a version that is no worse goes back, or one that is worse by the margin or more is promoted. */
export function wrongOf({ effect }: Cell, outcomes: readonly Outcome[]): number {
  const wrong = effect === 0 ? "rollback" : "promote";
  return outcomes.filter(({ said }) => said === wrong).length;
}

export function rolloutsReport(machine: Machine, generated: readonly Ran[], withAgents: readonly Ran[]): string {
  return [
    "# Rollouts",
    "",
    machineLine(machine),
    "",
    ...(generated.length > 0 ? generatedTable(generated) : []),
    ...(withAgents.length > 0 ? agentsTable(withAgents) : []),
  ].join("\n");
}

function generatedTable(ran: readonly Ran[]): string[] {
  return [
    `${countOf(ran)} rollouts a cell (run at ${commitsOf(ran)}); an accuracy whose practical margin is 3 points, for two weeks at`,
    "most, by the default policy. Effect 0: as good, so a rollback is wrong; effect 1: worse by the margin, and 5: by five, so a",
    "promotion is wrong. In a cell: wrong decisions [exact 95 % interval], undecided after two weeks, median hours to a decision.",
    "Allowed: 5 % wrong.",
    "",
    "**vedette** is the real engine (`advance`) with its judge, a step an hour and whenever a device is through what it must serve:",
    "shadows and canaries, at most 100 devices under way at once (of 2,000: a tenth), one in twenty of 20 and more joining in the first two days; who is",
    "offline changes every six hours, is stood in for and caught up with; all devices that are there are waited for. Devices answer",
    "equally often, so their shares of the evidence are even (decision 30) and sums of all are judged. **reached**: the",
    "share of the devices that ever answered by the candidate, median and most. The other three are re-implemented from their",
    "documentation and look each hour at as many devices as the stage names, none of them under way, late or waited for.",
    "",
    `| cell | runs | ${ruleNames.join(" | ")} | reached |`,
    `|---|---|${ruleNames.map(() => "---").join("|")}|---|`,
    ...ran.map(({ cell, count, outcomes }) => {
      const by = ruleNames.map((name) => told(cell, outcomes[name] ?? []));
      return `| ${nameOf(cell)} | ${count} | ${by.join(" | ")} | ${reachedOf(outcomes.vedette)} |`;
    }),
    "",
  ];
}

function agentsTable(ran: readonly Ran[]): string[] {
  return [
    "## With the real agent core",
    "",
    `${countOf(ran)} rollouts a cell in virtual time: real agent cores that ask both versions and send parcels,`,
    "the real engine, director, analysis and database; networks, disks and labels are simulated, and a model is a line that errs on some",
    `inputs. Default policy, judged by accuracy with a margin of ${100 * agentMargin} points (an agent lives through each prediction, so that evidence must`,
    "suffice sooner), for three days at most. Effect 1: worse by the margin, and 3: by three. Uneven: some devices are asked little that the",
    "candidate errs on, others little else. Offline: who is there is drawn anew each hour. The inbox of 2,000 devices stores as fast as",
    "that of a machine of its own; the others' disk is slow. What commits changed in between: docs/decisions/0030-judging-releases.md.",
    "",
    "| cell | runs | wrong | open | hours: median, longest | labelled pairs at the end | reached: median, most | at commit |",
    "|---|---|---|---|---|---|---|---|",
    ...ran.map((one) => {
      const { cell, count } = one;
      const { vedette = [] } = one.outcomes;
      const hours = sorted(vedette.map((one) => one.hours));
      const pairs = sorted(vedette.map((one) => one.pairs));
      const open = vedette.filter(({ said }) => said === "undecided").length;
      const times = `${middle(hours)}, ${hours.at(-1)}`;
      return `| ${nameOf(cell)} | ${count} | ${wrongOf(cell, vedette)} | ${open} | ${times} | ${middle(pairs)} | ${reachedOf(vedette)} | ${commitsOf([one])} |`;
    }),
    "",
  ];
}

function told(cell: Cell, outcomes: readonly Outcome[]): string {
  const n = outcomes.length;
  const wrong = wrongOf(cell, outcomes);
  const { low, high } = clopperPearson(wrong, n);
  const share = (part: number) => `${(100 * part).toFixed(1)}`;
  const undecided = outcomes.filter(({ said }) => said === "undecided").length;
  const hours = sorted(outcomes.flatMap((one) => (one.said === "undecided" ? [] : [one.hours])));
  const bold = low > 0.05 ? "**" : "";
  return `${bold}${share(wrong / n)} %${bold} [${share(low)}, ${share(high)}], ${share(undecided / n)} % open, ${middle(hours) ?? "–"} h`;
}

function reachedOf(outcomes: readonly Outcome[] = []): string {
  const shares = sorted(outcomes.map(({ reached = 0 }) => reached));
  const percent = (share = 0) => `${Number((100 * share).toPrecision(2))} %`;
  return `${percent(middle(shares))}, ${percent(shares.at(-1))}`;
}

const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);
const middle = (values: readonly number[]): number | undefined => values[Math.floor(values.length / 2)];

function countOf(ran: readonly Ran[]): string {
  const [least, most] = [Math.min(...ran.map(({ count }) => count)), Math.max(...ran.map(({ count }) => count))];
  return least === most ? `${least}` : `${least} to ${most}`;
}

function commitsOf(ran: readonly Ran[]): string {
  return [...new Set(ran.flatMap(({ commits }) => commits))].join(", ");
}
