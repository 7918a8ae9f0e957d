/**
 * Evidence of several devices together, so that none speaks for the rest. Pure.
 *
 * What each device tells is its own word: one that lies, is broken, or answers a hundred times as much as the others, must not
 * decide for all of them. So none counts for more than its share: what it told beyond is scaled down, which leaves its mean
 * as it is. How much each counts for follows from how many rows there are, never from what came of them; and the
 * sums of squares are scaled like the sums, which takes a scaled mean for less certain than it is.
 */
import type { PairedLabels } from "./evidence.ts";
import { noPairs, type PairedEvidence, plusPairs, scaledPairs } from "./paired-evidence.ts";

/** What one device told, or several. */
export interface DeviceEvidence {
  readonly pairs: PairedEvidence;
  readonly labels: PairedLabels;
}

const noLabels: PairedLabels = { n: 0, onlyCandidateRight: 0, onlyIncumbentRight: 0 };
/**
 * How much of all that is counted one device of so many may be, at most: twice its equal part, and half. From twenty devices on
 * a tenth, from a hundred on 1/√n: in large fleets a few devices have most of the traffic, and are not to wait for all others.
 */
function shareOf(devices: number): number {
  if (devices <= 2) return 1;
  return Math.max(Math.min(1 / 2, 2 / devices), Math.min(1 / 10, 1 / Math.sqrt(devices)));
}

/**
 * The most that one device may count for: the greatest level L such that L is no more than its share of Σ min(count, L).
 * @param counts of each device, 0 and up; those of 0 are not there. @returns infinity where none has to be held down.
 */
export function levelOf(counts: readonly number[]): number {
  const ordered = counts.filter((count) => count > 0).toSorted((a, b) => b - a);
  const share = shareOf(ordered.length);
  let rest = ordered.reduce((sum, count) => sum + count, 0);
  if ((ordered[0] ?? 0) <= share * rest) return Number.POSITIVE_INFINITY;
  // With the greatest k at the level, L = share · (k · L + the rest).
  for (const [held, count] of ordered.entries()) {
    rest -= count;
    const level = (share * rest) / (1 - share * (held + 1));
    if (level >= (ordered[held + 1] ?? 0)) return level;
  }
  return Number.POSITIVE_INFINITY;
}

/** What all of them told, none above its share. */
export function together(devices: readonly DeviceEvidence[]): DeviceEvidence {
  return sumOf(heldDown(devices));
}

/**
 * The same of the last stage, in which those who joined in it count for at least half of their part of the devices: who was in
 * the cohort before tells sooner, and may be of the kind that the candidate suits. Half, since who joined may be asked less.
 * Nor does one of those who joined stand in for the others: none of them has more than its share of what they told.
 * @param parts of the devices that tell, those who joined; 0: none of them is to be heard.
 */
export function togetherInLast(
  devices: readonly (DeviceEvidence & { readonly joined: boolean })[],
  parts: { readonly pairs: number; readonly labels: number },
): DeviceEvidence {
  const held = heldDown(devices);
  if (parts.pairs === 0 && parts.labels === 0) return sumOf(held);
  const those = (who: boolean) => held.filter((_, i) => devices[i]?.joined === who);
  const [joined, before] = [together(those(true)), sumOf(those(false))];
  const most = (part: number, count: (of: DeviceEvidence) => number) =>
    Math.min(1, ((2 / part - 1) * count(joined)) / Math.max(1, count(before)));
  const rows = most(parts.pairs, ({ pairs }) => pairs.rows);
  const runs = most(parts.pairs, ({ pairs }) => runsOf(pairs));
  const labels = most(parts.labels, ({ labels }) => labels.n);
  const all = sumOf(held);
  return {
    pairs: parts.pairs === 0 ? all.pairs : plusPairs(joined.pairs, scaledPairs(before.pairs, rows, runs)),
    labels: parts.labels === 0 ? all.labels : plusLabels(joined.labels, scaledLabels(before.labels, labels)),
  };
}

function heldDown(devices: readonly DeviceEvidence[]): DeviceEvidence[] {
  const most = {
    rows: levelOf(devices.map(({ pairs }) => pairs.rows)),
    runs: levelOf(devices.map(({ pairs }) => runsOf(pairs))),
    labels: levelOf(devices.map(({ labels }) => labels.n)),
  };
  return devices.map(({ pairs, labels }): DeviceEvidence => {
    const rows = Math.min(1, most.rows / Math.max(1, pairs.rows));
    const runs = Math.min(1, most.runs / Math.max(1, runsOf(pairs)));
    return {
      pairs: rows === 1 && runs === 1 ? pairs : scaledPairs(pairs, rows, runs),
      labels: scaledLabels(labels, Math.min(1, most.labels / Math.max(1, labels.n))),
    };
  });
}

function sumOf(devices: readonly DeviceEvidence[]): DeviceEvidence {
  return {
    pairs: devices.reduce((total, { pairs }) => plusPairs(total, pairs), noPairs),
    labels: devices.reduce((total, { labels }) => plusLabels(total, labels), noLabels),
  };
}

function plusLabels(a: PairedLabels, b: PairedLabels): PairedLabels {
  return {
    n: a.n + b.n,
    onlyCandidateRight: a.onlyCandidateRight + b.onlyCandidateRight,
    onlyIncumbentRight: a.onlyIncumbentRight + b.onlyIncumbentRight,
  };
}

export function scaledLabels({ n, onlyCandidateRight, onlyIncumbentRight }: PairedLabels, times: number): PairedLabels {
  return {
    n: n * times,
    onlyCandidateRight: onlyCandidateRight * times,
    onlyIncumbentRight: onlyIncumbentRight * times,
  };
}

/** Of the version that has more of them. */
function runsOf({ latency }: PairedEvidence): number {
  return Math.max(
    ...[latency.candidate, latency.incumbent].map((bins) => [...bins.values()].reduce((a, b) => a + b, 0)),
  );
}
