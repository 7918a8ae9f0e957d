/** Reference against current, as inline SVG: columns for a number, lines for a category. Pure. */
import { html } from "hono/html";
import type { DriftFeature, HistogramBar } from "./drift-document.ts";
import { clipped, digits, type Markup, percent } from "./markup.ts";

const width = 320;
const tall = 110;
const line = 20;

export function histogramFigure({ name, kind, histogram: { bars, missing } }: DriftFeature): Markup {
  const gaps =
    missing.reference + missing.current > 0
      ? html`<p class="soft">Missing: ${percent(missing.reference)} in the reference, ${percent(missing.current)} now.</p>`
      : "";
  if (bars.length === 0) return html`<p class="soft">No values to draw.</p>${gaps}`;
  return html`${kind === "number" ? columns(name, bars) : lines(name, bars)}${gaps}`;
}

function columns(name: string, bars: readonly HistogramBar[]): Markup {
  const most = greatest(bars);
  const step = width / bars.length;
  const high = (share: number) => place((share / most) * (tall - 4));
  const each = bars.map(
    (
      { label, reference, current },
      i,
    ) => html`<g><title>${label}: ${percent(reference)} in the reference, ${percent(current)} now</title>
<rect class="ref" x="${place(i * step + 0.5)}" y="${place(tall - high(reference))}" width="${place(step - 1)}" height="${high(reference)}"/>
<rect class="cur" x="${place(i * step + step * 0.28)}" y="${place(tall - high(current))}" width="${place(step * 0.44)}" height="${high(current)}"/></g>`,
  );
  const [first, last] = [bars[0]?.label ?? "", bars.at(-1)?.label ?? ""];
  return html`<svg viewBox="0 0 ${width} ${tall + 16}" role="img" aria-label="${`Distribution of ${name}, up to ${percent(most)} a bar`}">
${each}<line class="axis" x1="0" x2="${width}" y1="${tall}" y2="${tall}"/>
<text x="0" y="${tall + 12}">${first}</text><text x="${width}" y="${tall + 12}" text-anchor="end">${last}</text></svg>`;
}

function lines(name: string, bars: readonly HistogramBar[]): Markup {
  const most = greatest(bars);
  const from = 110;
  const long = (share: number) => place((share / most) * (width - from - 46));
  const each = bars.map(({ label, reference, current }, i) => {
    const y = i * line;
    const end = place(from + Math.max(long(reference), long(current)) + 4);
    return html`<g><title>${label}: ${percent(reference)} in the reference, ${percent(current)} now</title>
<text x="${from - 6}" y="${y + 13}" text-anchor="end">${clipped(label, 18)}</text>
<rect class="ref" x="${from}" y="${y + 2}" width="${long(reference)}" height="8"/><rect class="cur" x="${from}" y="${y + 10}" width="${long(current)}" height="6"/>
<text x="${end}" y="${y + 13}">${digits(100 * current)} %</text></g>`;
  });
  return html`<svg viewBox="0 0 ${width} ${bars.length * line + 2}" role="img" aria-label="${`Shares of the categories of ${name}`}">${each}</svg>`;
}

function greatest(bars: readonly HistogramBar[]): number {
  return Math.max(1e-9, ...bars.map(({ reference, current }) => Math.max(reference, current)));
}

function place(value: number): number {
  return Math.round(value * 100) / 100;
}
