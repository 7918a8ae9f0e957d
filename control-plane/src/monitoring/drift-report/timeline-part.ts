/** Evidence over time: the detector's course, and where it alarmed. Pure. */
import { html } from "hono/html";
import { minute } from "../../utc-minute.ts";
import type { DriftTimeline } from "./drift-document.ts";
import { digits, type Markup } from "./markup.ts";

const [width, height, left, bottom] = [640, 180, 44, 22];

export function timelinePart({ unit, alarmAt, points }: DriftTimeline): Markup {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return html`<section><h2>Over time</h2><p class="soft">Nothing was observed yet.</p></section>`;
  const from = unit === "rows" ? 0 : first.at;
  const across = (at: number) => place(left + ((at - from) / (last.at - from || 1)) * (width - left - 10));
  // Evidence grows by the row, often to thousands of nats: what matters happens near the alarm.
  const scale = (logE: number) => Math.log1p(Math.max(0, logE));
  const top = scale(Math.max(alarmAt * 1.5, ...points.map(({ logE }) => logE)));
  const up = (logE: number) => place(height - bottom - (scale(logE) / top) * (height - bottom - 12));
  const trace = points.map(({ at, logE }) => `${across(at)},${up(logE)}`).join(" ");
  const when = (at: number) => (unit === "rows" ? `row ${at}` : minute(at));
  const dots = points.map(
    ({ at, logE, verdict, top: feature }) =>
      html`<circle class="v-${verdict}" cx="${across(at)}" cy="${up(logE)}" r="3.5"><title>${when(at)}: ${verdict}, evidence ${digits(logE)}${feature === null ? "" : `, most in ${feature}`}</title></circle>`,
  );
  const alarmed = points.find(({ logE }) => logE >= alarmAt);
  const whose = unit === "rows" ? "The detector" : "The whole fleet's detector";
  const told = alarmed
    ? html`${whose} alarmed by ${when(alarmed.at)}${alarmed.top === null ? "" : html`, most for <b>${alarmed.top}</b>`}.`
    : `${whose} did not alarm${unit === "rows" ? "" : "; devices and cohorts have their own, and an event keeps its devices out of this one"}.`;
  return html`<section><h2>Verdict and evidence over time</h2><p>${told}</p><div class="wide">
<svg class="time" viewBox="0 0 ${width} ${height}" role="img" aria-label="Evidence of the sequential detector over time">
<line class="axis" x1="${left}" x2="${width}" y1="${height - bottom}" y2="${height - bottom}"/>
<line class="alarm" x1="${left}" x2="${width}" y1="${up(alarmAt)}" y2="${up(alarmAt)}"/><text x="${left - 4}" y="${up(alarmAt) + 3}" text-anchor="end">alarm</text>
<text x="${left - 4}" y="${height - bottom + 3}" text-anchor="end">0</text>
<polyline class="trace" points="${trace}"/>${dots}
<text x="${left}" y="${height - 6}">${when(from)}</text><text x="${width - 2}" y="${height - 6}" text-anchor="end">${when(last.at)}</text></svg></div>
<p class="soft">Evidence is the logarithm of the e-detector, drawn on a logarithmic scale; a filled dot is drift. It alarms at ${digits(alarmAt)}.</p></section>`;
}

function place(value: number): number {
  return Math.round(value * 100) / 100;
}
