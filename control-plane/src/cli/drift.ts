/** `vedette drift`: what moved. Its verbs are in files of their own. */
import type { Command } from "commander";
import { addCompare } from "./drift-compare.ts";
import { addReport } from "./drift-report.ts";
import type { Io } from "./io.ts";

export function addDrift(program: Command, io: Io): void {
  const drift = program.command("drift").description("what moved, since training or between two files");
  addReport(drift, io);
  addCompare(drift, io);
}
