/** Two versions on the same labelled rows: which is worse, and by how much. Pure. */
import type { GateCheck } from "@vedette/protocol/gate-api";
import { differenceInterval } from "../../statistics/anytime-interval.ts";
import { measured } from "./checks.ts";

/** A worsening below this is nothing that anybody would notice. */
const practicalMargin = 0.01;
/** Chance that an equally good version is said to be worse. */
const error = 0.05;

export interface Losses {
  /** Of each row, in [0, 1]: 0 is right. */
  readonly candidate: readonly number[];
  readonly champion: readonly number[];
  readonly championVersion: number;
}

/**
 * Fails where the candidate's loss is shown to be greater, and greater by the margin: by the exact McNemar test where losses are
 * 0 or 1, else by the interval. What is not shown is left to shadow and canary, and said.
 */
export function judgeLosses({ candidate, champion, championVersion }: Losses): GateCheck {
  const differences = candidate.map((loss, row) => loss - (champion[row] ?? 0));
  const sum = differences.reduce((total, one) => total + one, 0);
  const squares = differences.reduce((total, one) => total + one * one, 0);
  const n = differences.length;
  const worsening = sum / n;
  const interval = differenceInterval({ n, sum, squares }, { low: error, high: error });
  const [low, high] = interval ? [interval.low, interval.high] : [-1, 1];
  const binary = [...candidate, ...champion].every((loss) => loss === 0 || loss === 1);
  const worse = differences.filter((one) => one > 0).length;
  const better = differences.filter((one) => one < 0).length;
  const p = mcNemar(worse, better);
  const shown = binary ? p <= error : low > 0;
  const passed = !(shown && worsening >= practicalMargin);
  const rates = `right ${share(1 - mean(candidate))} of ${n} rows, version ${championVersion} ${share(1 - mean(champion))}`;
  const test = binary
    ? `; ${worse} rows only the champion had right, ${better} only this (exact McNemar p ${p.toPrecision(2)})`
    : "";
  const range = `; worse by ${low.toFixed(3)} to ${high.toFixed(3)}`;
  const open =
    passed && high >= practicalMargin
      ? `: too few rows to exclude ${practicalMargin}, shadow and canary go on measuring`
      : "";
  const why = `${rates}${test}${range}${open}`;
  return measured("accuracy", { measured: worsening, limit: practicalMargin, unit: "of loss", passed, why });
}

/**
 * One-sided exact McNemar test: the chance of so many rows where only the candidate was wrong, were it as good.
 * P(X ≥ worse), X ~ Binomial(worse + better, ½).
 */
export function mcNemar(worse: number, better: number): number {
  const n = worse + better;
  // In logarithms: ½ⁿ is 0 from n = 1075 on.
  let logTerm = -n * Math.LN2;
  const logs = [logTerm];
  for (let k = 1; k <= n; k++) {
    logTerm += Math.log((n - k + 1) / k);
    logs.push(logTerm);
  }
  return Math.min(
    1,
    logs.slice(worse).reduce((total, log) => total + Math.exp(log), 0),
  );
}

/** @param values one or more. */
export function mean(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0) / values.length;
}

/** As `.780`, for people. */
export function share(value: number): string {
  return value.toFixed(3).replace(/^0/, "");
}
