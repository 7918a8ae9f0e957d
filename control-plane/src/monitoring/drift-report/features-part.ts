/** The features: what each test says in one table, and a card with the histogram for those farthest off. Pure. */
import { html } from "hono/html";
import type { DriftFeature } from "./drift-document.ts";
import { histogramFigure } from "./histogram-figure.ts";
import { badge, clipped, digits, type Markup } from "./markup.ts";

/** Cards that are drawn; all features are in the table. */
const mostCards = 60;

export function featureTable(features: readonly DriftFeature[]): Markup {
  const rows = features.map(
    (
      one,
    ) => html`<tr><td title="${one.name}">${clipped(one.name, 40)}${role(one)}</td><td>${badge(one.verdict)}</td><td>${one.n}</td><td>${one.missing}</td>
<td>${digits(one.psi)}</td><td>${digits(one.psiCritical)}</td><td>${one.kind === "number" ? `${digits(one.ksLow)} – ${digits(one.ksHigh)}` : "–"}</td><td>${digits(one.pValue)}</td>
<td>${one.kind === "number" ? digits(one.w1) : "–"}</td><td>${digits(one.js)}</td><td>${digits(one.linf)}</td></tr>`,
  );
  return html`<section><h2>Every feature</h2><div class="wide"><table><thead><tr><th>feature</th><th>verdict</th><th>n</th><th>missing</th><th>PSI</th><th>critical</th><th>KS between</th><th>p</th><th>W1</th><th>JS</th><th>L∞</th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="soft">Drift: PSI above its critical value, and p small enough for the number of tests; or the share of missing values moved. W1 is in the feature's own unit.</p></section>`;
}

/** @param farthest the features, the farthest off first. */
export function featureCards(farthest: readonly DriftFeature[]): Markup {
  const more = farthest.length - mostCards;
  const cards = farthest.slice(0, mostCards).map(
    (one) => html`<article class="card"><h3>${one.name}${role(one)} ${badge(one.verdict)}</h3>${histogramFigure(one)}
<p class="soft">PSI ${digits(one.psi)} (chance alone: up to ${digits(one.psiCritical)}), ${effect(one)}, p ${digits(one.pValue)}${one.lag > 1 ? `; one row in ${one.lag} counts` : ""}</p></article>`,
  );
  return html`<section><h2>Reference against now</h2><p class="soft"><span class="key ref"></span>reference <span class="key cur"></span>now; shares of the values, the farthest off first</p>
<div class="cards">${cards}</div>${more > 0 ? html`<p class="soft">${more} more are in the table below.</p>` : ""}</section>`;
}

function effect({ kind, ksLow, w1, linf }: DriftFeature): string {
  return kind === "number" ? `KS ${digits(ksLow)}, moved by ${digits(w1)}` : `a share by ${digits(linf)}`;
}

function role({ role: what }: DriftFeature): Markup | string {
  return what === "input" ? "" : html` <span class="soft">(${what})</span>`;
}
