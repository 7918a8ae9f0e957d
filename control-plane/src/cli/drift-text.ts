/** A drift report for the terminal. Pure. */
import type { DriftDocument } from "../monitoring/drift-report/drift-document.ts";
import { minute } from "../utc-minute.ts";
import { show, table } from "./table.ts";

/** The table of features, the joint test, events, and the verdict last: where a reader's eye ends up. */
export function describeDrift(document: DriftDocument): string {
  const { title, reference, current, features, joint, timeline, harm, notes, incidents, verdict, summary } = document;
  const columns = ["feature", "n", "missing", "psi", "critical", "ks", "p", "w1", "js", "verdict"];
  const rows = features.map((one) => [
    one.role === "input" ? one.name : `${one.name} (${one.role})`,
    one.n,
    one.missing,
    digits(one.psi),
    digits(one.psiCritical),
    one.kind === "number" ? `${digits(one.ksLow)}..${digits(one.ksHigh)}` : null,
    digits(Math.min(one.pValue, 1)),
    one.kind === "number" ? digits(one.w1) : null,
    digits(one.js),
    one.verdict,
  ]);
  const lines = [
    show(title),
    `reference: ${show(reference.name)}, ${reference.rows} rows`,
    `compared:  ${show(current.name)}, ${current.rows} rows${missing(current.missingRows)}`,
    "",
    table(columns, rows),
    joint
      ? `all at once: statistic ${digits(joint.statistic)}, p ${digits(joint.p)}: ${joint.drift ? "drift" : "none"}${joint.skipped > 0 ? `; ${joint.skipped} rows with gaps are not in it` : ""}`
      : "all at once: not tested",
    ...(timeline ? [evidence(timeline)] : []),
    ...incidents.map(
      ({ id, verdict: how, where, openedAt, closedAt, features: moved }) =>
        `event ${id}: ${how} on ${show(where)} since ${minute(openedAt)}${closedAt === null ? "" : ", over"}: ${moved.map(show).join(", ")}`,
    ),
    ...(harm.verdict === "unknown" && incidents.length === 0 ? [] : [`harm: ${harm.verdict}, ${show(harm.why)}`]),
    ...notes.map((note) => `note: ${show(note)}`),
    "",
    `verdict: ${verdict}. ${show(summary)}`,
  ];
  return `${lines.join("\n")}\n`;
}

function evidence({ points, alarmAt, unit }: NonNullable<DriftDocument["timeline"]>): string {
  const first = points.find(({ logE }) => logE >= alarmAt);
  const what = unit === "rows" ? "one after another:" : "the whole fleet, round by round:";
  if (!first) return `${what} no alarm`;
  const when = unit === "rows" ? `by row ${first.at}` : `at ${new Date(first.at).toISOString()}`;
  return `${what} alarm ${when}${first.top === null ? "" : `, most in ${show(first.top)}`}`;
}

function missing(rows: number | null): string {
  return rows === null || rows === 0 ? "" : `, ${rows} with missing values`;
}

/** Three digits. */
function digits(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "-";
}
