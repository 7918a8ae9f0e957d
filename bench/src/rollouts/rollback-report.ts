/** Restoring a fleet as a table. */
import { askEveryMs, commitMs, networkMs, roundMs } from "../../../fixtures/src/rollouts/roll-back.ts";
import { type Machine, machineLine } from "../report-format.ts";
import type { RollbackResult } from "./rollback.ts";

export function rollbackReport(machine: Machine, results: readonly RollbackResult[]): string {
  return [
    "# From a bad version to the fleet restored",
    "",
    machineLine(machine),
    "",
    "Simulated devices, each with the real agent core, under the real engine, analysis, director and database: every message is signed and",
    "checked, the version before is proven anew before it answers. All devices get the candidate at once, which no default policy does.",
    `**Simulated seconds** (all but the last column): the network's way (up to ${networkMs} ms each), the devices' timers, runs of a model (up to`,
    `3 ms), the reconciler's rounds (${roundMs / 1000} s), and the inbox's thread (up to ${commitMs} ms before and after each commit, one device`,
    `after the other; \`bench -- ingest\` says what a real one takes). Each device is asked once in ${askEveryMs / 1000} s.`,
    "Computing takes no simulated time. **Real seconds** (the last column): this machine's, for control plane and all devices together in one",
    "thread, from the round that decided until the last device was back.",
    "",
    "| how it is bad | devices struck | to the verdict | first bad answer → restored, p50, p99, most | verdict → restored, p50, p99, most | predictions without a model's answer, p50, p99, most | real |",
    "|---|---|---|---|---|---|---|",
    ...results.map((one) => {
      const { badness, struck, devices, verdictAfter, fromFirstBad, fromVerdict, withoutModel, computeMs } = one;
      const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
      const self = fromVerdict.length === 0;
      return `| ${badness} | ${struck} of ${devices} | ${self ? "not needed" : seconds(verdictAfter)} | ${three(fromFirstBad, seconds)} | ${self ? "all were back" : three(fromVerdict, seconds)} | ${three(withoutModel, String)} | ${self ? "" : seconds(computeMs)} |`;
    }),
    "",
    "* **seen in evidence**: sound at first, and on every device; then what devices are asked changes, and the version answers NaN. Its golden",
    "  vectors are answered as ever, so no device returns by itself: pairs of answers tell it from the version before, a parcel a minute.",
    "  Until then the ladder answers, never the version.",
    "* **seen on the device**: NaN from the first real input on. The device returns by itself: the prediction that shows it is the ladder's,",
    "  the next one the version before's.",
    "",
  ].join("\n");
}

function three(values: readonly number[], told: (value: number) => string): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (quantile: number) =>
    sorted[Math.min(sorted.length - 1, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN;
  return [at(0.5), at(0.99), at(1)].map(told).join(", ");
}
