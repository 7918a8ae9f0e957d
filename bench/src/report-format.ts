/** How every report says where it was measured, what the figures are, and whether a budget was met. */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  /** Processes that wanted to run in the minute before: more than cores, and the figures are of a busy machine. */
  readonly load: number;
  /** The commit that was measured; `+` where files were changed since. */
  readonly commit: string;
  readonly node: string;
  readonly onnxruntime: string;
}

export function thisMachine(): Machine {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  const all = cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    load: loadavg()[0] ?? Number.NaN,
    commit: commitHere(),
    node: process.versions.node,
    onnxruntime: version,
  };
}

function commitHere(): string {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: new URL(".", import.meta.url), encoding: "utf8" }).trim();
  return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : "+"}`;
}

export function machineLine({ date, cores, cpu, node, onnxruntime, load, commit }: Machine): string {
  return `${date} UTC, ${cores} × ${cpu}, Node ${node}, onnxruntime-node ${onnxruntime}, commit ${commit}.
Load average at the start: ${load.toFixed(1)} (over ${cores}: a busy machine, and ratios by CPU say more than by throughput).`;
}

export const micros = (value: number): string => value.toFixed(2);
export const ratio = (value: number): string => value.toFixed(2);
export const perSecond = (value: number): string => `${(value / 1000).toFixed(1)}k`;

export function verdict(met: boolean): string {
  return met ? "met" : "**missed**";
}
