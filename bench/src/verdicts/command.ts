/** `verdicts` of the bench command: runs what is missing, within the cells and streams that are asked for, then judges all there is. */
import { homedir } from "node:os";
import { join } from "node:path";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import type { Machine } from "../report-format.ts";
import { alwaysFire } from "./always-fire.ts";
import { type Cell, cells } from "./cells.ts";
import type { Detector } from "./detector.ts";
import { openPeers, peerNames, peersHere } from "./peers.ts";
import { RecordsFile } from "./records-file.ts";
import { type VerdictsReport, verdictsReport } from "./report.ts";
import { runCells } from "./run.ts";
import { ourDetectors, ourKinds } from "./vedette.ts";

export interface VerdictsOptions {
  /** Cells whose name contains this, or one of these with commas between; all where it is empty. */
  readonly cells: string;
  /** Of each cell; 0 runs nothing, and judges what there is. */
  readonly streams: number;
  /** Names with commas between; all that are here where it is empty. */
  readonly detectors: string;
}

/** @throws TypeError where options name no cell or no detector. */
export async function measureVerdicts(machine: Machine, options: VerdictsOptions): Promise<VerdictsReport> {
  const file = await RecordsFile.open(recordsPath());
  const parts = options.cells.split(",");
  const chosen = cells.filter(({ name }) => parts.some((part) => name.includes(part)));
  if (chosen.length === 0) {
    throw new TypeError(
      `no cell is called like ${JSON.stringify(options.cells)}: ${cells.map(({ name }) => name).join(", ")}`,
    );
  }
  if (options.streams > 0) {
    const detectors = await open(options.detectors);
    try {
      await runCells({ cells: chosen, detectors, streams: options.streams, file, progress });
    } finally {
      for (const detector of detectors) await detector.close();
    }
  }
  return verdictsReport(machine, file);
}

function recordsPath(): string {
  return process.env.VEDETTE_BENCH_VERDICTS ?? join(homedir(), ".cache", "vedette-bench-verdicts", "records.jsonl");
}

async function open(names: string): Promise<Detector[]> {
  const here = [...ourKinds.map(({ name }) => name), alwaysFire.name, ...peersHere()];
  const known = [...ourKinds.map(({ name }) => name), alwaysFire.name, ...peerNames];
  const asked = names === "" ? here : names.split(",");
  for (const name of asked) {
    if (!known.includes(name)) throw new TypeError(`no detector is called ${name}: say some of ${known.join(",")}`);
    if (!here.includes(name)) throw new TypeError(`${name} is not here: run bench/peers/make.sh first`);
  }
  const own = [...ourDetectors(await loadKernelsNode()), alwaysFire].filter(({ name }) => asked.includes(name));
  return [...own, ...(await openPeers(asked.filter((name) => peerNames.includes(name))))];
}

function progress(cell: Cell, stream: number): void {
  if (stream % 25 === 0) process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${cell.name}: ${stream}\n`);
}
