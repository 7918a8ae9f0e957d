/** The report of `verdicts`: what table.ts worked out, as Markdown with two pictures. */
import { type Machine, machineLine } from "../report-format.ts";
import { alwaysFire } from "./always-fire.ts";
import { cells } from "./cells.ts";
import { type FalseAlarms, matchedThreshold } from "./judge.ts";
import { peerKind, peerNames, settingArl } from "./peers.ts";
import { delayPlot, falseAlarmPlot } from "./plots.ts";
import type { RecordsFile } from "./records-file.ts";
import {
  type DelayEntry,
  type DelayTable,
  type FalseAlarmRow,
  falseAlarmRows,
  matchedDelays,
  matchedNulls,
  matchedShares,
  medianByChance,
  nominalDelays,
  nominalShare,
  nullCells,
  type Race,
  type RunsOf,
  races,
  type Side,
  shiftCells,
} from "./table.ts";
import { ourKinds } from "./vedette.ts";

/** The stricter of the two shares at which everyone is compared: that of a run length of 190,000 rows. */
const strictShare = 0.1;
/** Fewer streams than this say too little to be beside the others unmarked. */
const enough = 200;

export interface VerdictsReport {
  readonly results: object;
  readonly report: string;
  /** Pictures that the report shows, by file name. */
  readonly files: Readonly<Record<string, string>>;
}

export function verdictsReport(machine: Machine, file: RecordsFile): VerdictsReport {
  const byCell = new Map(cells.map((cell) => [cell.name, file.ofCell(cell.name)]));
  const runsOf: RunsOf = (cell, detector) => byCell.get(cell.name)?.get(detector) ?? [];
  const peers = peerNames
    .map((name) => side(peerKind(name), settingArl, false))
    .filter(({ kind }) => cells.some((cell) => runsOf(cell, kind.name).length > 0));
  const ours = ourKinds.map((kind) => side(kind, settingArl, true));
  const rare = ourKinds.map((kind) => side(kind, 1e6, true));
  const baseline = side(alwaysFire, settingArl, false);
  const quiet = falseAlarmRows([...ours, ...rare, ...peers, baseline], runsOf);
  const nominal = nominalDelays([...ours, ...rare, ...peers, baseline], runsOf);
  const loose = matchedDelays([...ours, ...peers], runsOf, nominalShare(settingArl));
  const strict = matchedDelays([...ours, ...peers], runsOf, strictShare);
  const chance = Math.round(medianByChance(nominalShare(settingArl)));
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const report = `# False alarms and delays

Written by \`npm run bench --workspace bench -- verdicts --write\`; do not edit. What was compared is in \`../README.md\`.

${machineLine(machine)}
Streams of 20,000 rows and 16 features. Entries with fewer than ${enough} streams say how many.

## False alarms: streams without a change in which it alarmed

Nominal is one alarm in 10,000 rows, so at most ${percent(nominalShare(1e4))} of the streams; for the lines at 1e6, ${percent(nominalShare(1e6))}.
In brackets the 95 % interval of Clopper and Pearson; **bold** where it lies above nominal.

| | ${nullCells.map(({ name }) => name.replace("null ", "")).join(" | ")} |
|---|${nullCells.map(() => "---|").join("")}
${quiet.map(({ side: { title, arl }, entries }) => `| ${title} | ${entries.map((entry) => shareText(entry, arl)).join(" | ")} |`).join("\n")}

![false alarms](verdicts-false-alarms.svg)

## Delays at everyone's own setting for 10,000 rows

Median rows from the change to the alarm, in brackets the 95 % bootstrap interval; streams that alarmed before the change are left out.
References of 10,000 rows. ~~Struck~~: alarms too often without a change, so its delay says nothing.

${delayText(nominal)}

## Delays at equal false alarms

Everyone's threshold is set so that ${percent(nominalShare(settingArl))} of the streams without a change alarm, as one alarm in 10,000 rows gives.

An alarm that has nothing to do with the change comes after a median of ${chance.toLocaleString("en")} rows then: where the interval reaches
that, nobody has noticed anything.

${delayText(loose)}

${raceText(races(loose, nominalShare(settingArl)))}

Shares of the streams without a change that alarm at these thresholds (a detector with few levels cannot be set more closely):

${matchedText(matchedShares([...ours, ...peers], runsOf, nominalShare(settingArl)))}

And so that ${percent(strictShare)} do: about one alarm in 190,000 rows.

${delayText(strict)}

${raceText(races(strict, strictShare))}

${matchedText(matchedShares([...ours, ...peers], runsOf, strictShare))}

## What a threshold of the bank really gives

The bank promises that a threshold of A alarms once in A rows at most; how much rarer it is depends on the reference. The threshold that
would alarm in the shares above where nothing changes:

${thresholdText(runsOf)}

![delays](verdicts-delays.svg)
`;
  return {
    report,
    results: { falseAlarms: quiet, nominal, matched: loose, matchedStrictly: strict },
    files: {
      "verdicts-false-alarms.svg": falseAlarmPlot(quiet, settingArl),
      "verdicts-delays.svg": delayPlot(
        strict,
        `Median delay where ${percent(strictShare)} of streams without a change alarm`,
      ),
    },
  };
}

function side(kind: Side["kind"], arl: number, isOurs: boolean): Side {
  return { kind, arl, ours: isOurs, title: arl === settingArl ? kind.title : `${kind.title}, at 1e6` };
}

function shareText(entry: FalseAlarms | null, arl: number): string {
  if (!entry) return "–";
  const whole = (share: number): string => (100 * share).toFixed(0);
  const text = `${whole(entry.share)} [${whole(entry.interval.low)}–${whole(entry.interval.high)}]${few(entry.streams)}`;
  return arl > 0 && entry.interval.low > nominalShare(arl) ? `**${text}**` : text;
}

function matchedText(rows: readonly FalseAlarmRow[]): string {
  const head = matchedNulls.map(({ name }) => name.replace("null ", "")).join(" | ");
  const lines = rows.map(
    ({ side: { title }, entries }) => `| ${title} | ${entries.map((entry) => shareText(entry, 0)).join(" | ")} |`,
  );
  return `| | ${head} |\n|---|${matchedNulls.map(() => "---|").join("")}\n${lines.join("\n")}`;
}

function thresholdText(runsOf: RunsOf): string {
  const shares = [nominalShare(settingArl), strictShare];
  const lines = nullCells.flatMap((cell) => {
    const quiet = runsOf(cell, ourKinds[0].name);
    if (quiet.length === 0) return [];
    const entries = shares.map((share) => Math.round(Math.exp(matchedThreshold(quiet, share))).toLocaleString("en"));
    return [`| ${cell.name.replace("null ", "")}${few(quiet.length)} | ${entries.join(" | ")} |`];
  });
  const heads = ["one alarm in 10,000 rows", "one in 190,000"];
  return `| | ${heads.join(" | ")} |\n|---|---|---|\n${lines.join("\n")}`;
}

function delayText({ sides, entries }: DelayTable): string {
  const rows = shiftCells.map(({ shift, dependence }, i) => {
    const name = `${shift?.title}${dependence === "iid" ? "" : `, ${dependence}`}`;
    return `| ${name} | ${(entries[i] ?? []).map(delayEntryText).join(" | ")} |`;
  });
  return `| shift | ${sides.map(({ title }) => title).join(" | ")} |\n|---|${sides.map(() => "---|").join("")}\n${rows.join("\n")}`;
}

function delayEntryText(entry: DelayEntry | null): string {
  if (!entry || entry.streams === 0) return "–";
  const count = (rows: number): string => (Number.isFinite(rows) ? rows.toLocaleString("en") : "never");
  const { median, interval, streams, early } = entry;
  const text =
    median === Number.POSITIVE_INFINITY ? `never` : `${count(median)} [${count(interval.low)}–${count(interval.high)}]`;
  const whole = `${text}${few(streams + early)}`;
  return entry.loud ? `~~${whole}~~` : whole;
}

const few = (streams: number): string => (streams < enough ? ` (${streams})` : "");

function raceText(all: readonly Race[]): string {
  const of = (outcome: Race["outcome"]): Race[] => all.filter((race) => race.outcome === outcome);
  const named = (list: readonly Race[]): string =>
    list.map(({ cell, peer }) => `${cell.shift?.title}, ${cell.dependence} (${peer?.side.title})`).join("; ");
  const lines = [
    `Noticed first by ours: ${of("ours").length} of ${all.length}; even, the intervals overlapping: ${of("even").length}; by a peer: ${of("peer").length}; by nobody: ${of("nobody").length}; not compared, since no peer has been run there yet: ${of("alone").length}.`,
  ];
  if (of("even").length > 0) lines.push(`Even: ${named(of("even"))}.`);
  if (of("peer").length > 0) lines.push(`A peer was first: ${named(of("peer"))}.`);
  return lines.join("\n");
}
