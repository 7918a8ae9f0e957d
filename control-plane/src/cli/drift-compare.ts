/** `vedette drift compare`: two CSV files, no server. Thin over monitoring/drift-compare. */
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { type Command, InvalidArgumentError, Option } from "commander";
import { contextOf } from "./context.ts";
import { describeDrift } from "./drift-text.ts";
import { Finding } from "./finding.ts";
import type { Io } from "./io.ts";
import { list, share } from "./option-values.ts";
import { writePage } from "./write-page.ts";

/** What --fail-on ends with when it applies: none of 0, 1 and 2, which say how the command itself went. */
const foundExitCode = 3;

interface CompareFlags {
  features?: string[];
  label?: string;
  html?: string;
  alpha: number;
  leastEffect: number;
  failOn?: "notice" | "drift";
}

export function addCompare(drift: Command, io: Io): void {
  drift
    .command("compare")
    .argument("<reference.csv>", "what is usual: the training data, last month")
    .argument("<current.csv>", "what is compared with it")
    .description("two CSV files, with no server: each feature, all at once, and from the first row to the last")
    .option("--features <names>", "only these columns (default: all but dates, row numbers and free texts)", list)
    .option("--label <column>", "what came true: compared too, and told apart")
    .option("--html <file>", "write the report as one HTML file, histograms and all")
    .option("--alpha <number>", "probability of the verdict drift where nothing changed", level, 0.01)
    .option("--least-effect <number>", "what moved less is a notice: a KS distance, or a share", share, 0)
    .addOption(
      new Option("--fail-on <verdict>", "exit with 3 if the verdict is this or worse").choices(["notice", "drift"]),
    )
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette drift compare training.csv yesterday.csv\n  $ vedette drift compare training.csv yesterday.csv --label failed --html drift.html --fail-on drift\n\nWith --fail-on, 3 where the verdict is that or worse; else as ever:",
    )
    .action(async (reference: string, current: string, flags: CompareFlags, command: Command) => {
      const context = contextOf(command, io);
      const { features, label, alpha, leastEffect, html, failOn } = flags;
      // Loading DuckDB takes long, and no other command needs it.
      const { compareFiles } = await import("../monitoring/drift-compare/compare-files.ts");
      const kernels = await loadKernelsNode();
      const ports = { kernels, now: io.now };
      const document = await compareFiles({ reference, current }, { features, label, alpha, leastEffect }, ports);
      if (html !== undefined) await writePage(html, document, io);
      context.answer(document, describeDrift(document));
      const failing = failOn === "notice" ? ["notice", "drift", "critical"] : ["drift", "critical"];
      if (failOn !== undefined && failing.includes(document.verdict)) {
        throw new Finding(foundExitCode, `the verdict is ${document.verdict}`);
      }
    });
}

function level(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value < 1) return value;
  throw new InvalidArgumentError("Write a number between 0 and 1.");
}
