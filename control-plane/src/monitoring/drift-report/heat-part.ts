/** Which device, or which stretch of rows, is off in which feature: a table whose cells say the number, too. Pure. */
import { html } from "hono/html";
import type { DriftHeat } from "./drift-document.ts";
import { clipped, digits, type Markup } from "./markup.ts";

/** Columns that are drawn: those with the worst cells. */
const mostFeatures = 32;
/** PSI by its critical value, from which a cell is of class h1, h2 … */
const steps = [0.5, 1, 3, 10, 30];

export function heatPart({ of, features, lines, more }: DriftHeat): Markup {
  const worst = features.map((_, f) => Math.max(...lines.map(({ cells }) => cells[f] ?? -1)));
  const order = [...features.keys()]
    .sort((a, b) => (worst[b] ?? -1) - (worst[a] ?? -1) || a - b)
    .slice(0, mostFeatures);
  const head = order.map(
    (f) => html`<th class="name" scope="col" title="${features[f]}">${clipped(features[f] ?? "", 24)}</th>`,
  );
  const body = lines.map(({ name, rows, cells }) => {
    const each = order.map((f) => cell(cells[f] ?? null, `${features[f]}, ${name}`));
    return html`<tr><th scope="row" title="${name}">${clipped(name, 28)}</th><td>${rows}</td>${each}</tr>`;
  });
  const what = of === "device" ? "Device by feature" : "Stretch by feature";
  const left = features.length - order.length;
  return html`<section><h2>${what}</h2><div class="wide"><table class="heat"><thead><tr><th>${of === "device" ? "device" : "rows"}</th><th>n</th>${head}</tr></thead><tbody>${body}</tbody></table></div>
<p class="soft">PSI divided by what chance alone would give: above 1 is more than chance. – is too little to tell.${left > 0 ? ` ${left} more features are nearer to the reference.` : ""}${more > 0 ? ` ${more} more lines are nearer to it.` : ""}</p></section>`;
}

function cell(ratio: number | null, where: string): Markup {
  if (ratio === null) return html`<td class="h0" title="${where}">–</td>`;
  const heat = steps.filter((step) => ratio >= step).length;
  const told = ratio >= 100 ? String(Math.round(ratio)) : digits(Math.round(ratio * 10) / 10);
  return html`<td class="h${heat}" title="${where}: ${digits(ratio)}">${told}</td>`;
}
