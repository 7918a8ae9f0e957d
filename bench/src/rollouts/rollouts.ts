/**
 * `rollouts` of the bench command: runs the cells that are asked for and were not run yet, then reports all there are. An hour at
 * once is more than a machine that others use can give, so what has been run is kept, a line a cell.
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

  async function run(name: string, of: number, work: () => Promise<KeptCell["outcomes"]>): Promise<void> {
    if (of === 0 || !name.includes(cells) || (kept.get(name)?.count ?? 0) >= of) return;
    process.stderr.write(`${name}\n`);
    const cell = { name, count: of, commit, outcomes: await work() };
    await mkdir(dirname(file), { recursive: true });
    await appendFile(file, `${JSON.stringify(cell)}\n`);
    kept.set(name, cell);
  }

  for (const cell of cellsOf()) await run(nameOf(cell), count, async () => runRollouts(cell, count));
  for (const cell of agentCells())
    await run(agentsName(cell), agents, async () => ({ vedette: await runEach(cell, agents) }));

  const found = <T extends Cell>(all: readonly T[], name: (cell: T) => string) =>
    all.flatMap((cell) => {
      const there = kept.get(name(cell));
      return there ? [{ cell, ...there }] : [];
    });
  const [generated, withAgents] = [found(cellsOf(), nameOf), found(agentCells(), agentsName)];
  return { results: { generated, withAgents }, report: rolloutsReport(machine, generated, withAgents) };
}

const agentsName = (cell: Cell): string => `agents: ${nameOf(cell)}`;

async function runEach(cell: Cell, count: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let run = 0; run < count; run++) outcomes.push(await runAgents(cell, run));
  return outcomes;
}

/** By name; the last one run. A line that a stop cut short is run again. */
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
  return new Map(whole.map((line) => JSON.parse(line) as KeptCell).map((cell) => [cell.name, cell]));
}
