/**
 * `rollouts` of the bench command: runs what is asked for and was not run yet, then reports all there is. An hour at once is more
 * than a machine that others use can give, so what has been run is kept, a line for each time that a cell was run.
 */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { Machine } from "../report-format.ts";
import { agentCells } from "./agent-cells.ts";
import { type Cell, cellsOf, nameOf } from "./cells.ts";
import type { Outcome } from "./outcome.ts";
import { type KeptCell, rolloutsReport } from "./report.ts";
import { runAgents } from "./run-agents.ts";
import { runRollouts } from "./run-rollouts.ts";

export interface RolloutsOptions {
  /** Cells whose name contains this; all where it is empty. */
  readonly cells: string;
  /** Of each cell with generated evidence, and of each with agents; 0 runs none of them. */
  readonly count: number;
  readonly agents: number;
}

export async function measureRollouts(
  machine: Machine,
  { cells, count, agents }: RolloutsOptions,
): Promise<{ results: object; report: string }> {
  const file = process.env.VEDETTE_BENCH_ROLLOUTS ?? join(homedir(), ".cache", "vedette-bench-rollouts", "cells.jsonl");
  const kept = await keptIn(file);
  const { commit } = machine;

  /** @param work of the runs from one number to before another. */
  async function run(name: string, of: number, work: (from: number) => Promise<KeptCell["outcomes"]>): Promise<void> {
    const from = kept.get(name)?.count ?? 0;
    if (!name.includes(cells) || from >= of) return;
    process.stderr.write(`${name}: ${from} to ${of}\n`);
    const more = { name, count: of - from, commits: [commit], outcomes: await work(from) };
    await mkdir(dirname(file), { recursive: true });
    await appendFile(file, `${JSON.stringify(more)}\n`);
    kept.set(name, joined(kept.get(name), more));
  }

  for (const cell of cellsOf()) await run(nameOf(cell), count, async (from) => runRollouts(cell, count, from));
  for (const cell of agentCells())
    await run(agentsName(cell), agents, async (from) => ({ vedette: await runEach(cell, agents, from) }));

  const found = <T extends Cell>(all: readonly T[], name: (cell: T) => string) =>
    all.flatMap((cell) => {
      const there = kept.get(name(cell));
      return there ? [{ cell, ...there }] : [];
    });
  const [generated, withAgents] = [found(cellsOf(), nameOf), found(agentCells(), agentsName)];
  return { results: { generated, withAgents }, report: rolloutsReport(machine, generated, withAgents) };
}

const agentsName = (cell: Cell): string => `agents: ${nameOf(cell)}`;

async function runEach(cell: Cell, count: number, from: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let run = from; run < count; run++) outcomes.push(await runAgents(cell, run));
  return outcomes;
}

function joined(before: KeptCell | undefined, more: KeptCell): KeptCell {
  if (!before) return more;
  const names = Object.keys(more.outcomes) as (keyof KeptCell["outcomes"])[];
  return {
    name: more.name,
    count: before.count + more.count,
    commits: [...new Set([...before.commits, ...more.commits])],
    outcomes: Object.fromEntries(
      names.map((name) => [name, [...(before.outcomes[name] ?? []), ...(more.outcomes[name] ?? [])]]),
    ),
  };
}

/** By name. A line that a stop cut short is run again. */
async function keptIn(file: string): Promise<Map<string, KeptCell>> {
  let text = "";
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const whole = text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .slice(0, -1);
  const cells = new Map<string, KeptCell>();
  for (const cell of whole.map((line) => JSON.parse(line) as KeptCell))
    cells.set(cell.name, joined(cells.get(cell.name), cell));
  return cells;
}
