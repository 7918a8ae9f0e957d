/** The top of the page: what is compared, the verdict, the joint test, harm and events. Pure. */
import { html } from "hono/html";
import { minute } from "../../utc-minute.ts";
import type { DriftDocument, DriftSide } from "./drift-document.ts";
import { badge, digits, type Markup, percent } from "./markup.ts";

export function verdictPart(document: DriftDocument): Markup {
  const { title, at, reference, current, verdict, summary, alpha } = document;
  return html`<header><p class="soft">Vedette drift report, ${minute(at)}</p><h1>${title}</h1>
<p class="lead">${badge(verdict)} ${summary}</p>
<p class="soft">Reference: ${side(reference)}. Now: ${side(current)}. ${alpha === null ? "" : `Without a change a verdict of drift comes with probability ${percent(alpha)} at most.`}</p></header>`;
}

export function jointPart({ joint }: DriftDocument): Markup {
  if (!joint) return html`<section><h2>All features at once</h2><p>Not tested.</p></section>`;
  const { statistic, p, skipped, drift } = joint;
  const told = drift
    ? "How the features go together has changed, or several of them moved."
    : "No shift of all features together beyond what chance would give.";
  return html`<section><h2>All features at once</h2><p>${badge(drift ? "drift" : "none")} ${told}</p>
<p class="soft">Maximum mean discrepancy by random Fourier features: statistic ${digits(statistic)}, p ${digits(p)}${skipped > 0 ? `; ${skipped} rows with missing or infinite values are not in it` : ""}.</p></section>`;
}

export function harmPart({ harm }: DriftDocument): Markup {
  return html`<section><h2>Harm</h2><p>${badge(harm.verdict)} ${harm.why}</p></section>`;
}

export function incidentsPart({ incidents }: DriftDocument): Markup {
  if (incidents.length === 0) return html``;
  const rows = incidents.map(
    ({ id, verdict, where, openedAt, closedAt, features }) =>
      html`<tr><td>${id}</td><td>${badge(verdict)}</td><td>${where}</td><td>${minute(openedAt)}</td><td>${closedAt === null ? "goes on" : minute(closedAt)}</td><td>${features.slice(0, 6).join(", ")}</td></tr>`,
  );
  return html`<section><h2>Events</h2><div class="wide"><table><thead><tr><th>id</th><th>verdict</th><th>where</th><th>since</th><th>until</th><th>features</th></tr></thead><tbody>${rows}</tbody></table></div></section>`;
}

export function notesPart({ notes }: DriftDocument): Markup {
  if (notes.length === 0) return html``;
  return html`<section><h2>Notes</h2><ul>${notes.map((note) => html`<li>${note}</li>`)}</ul></section>`;
}

function side({ name, rows, missingRows }: DriftSide): Markup {
  const gaps = missingRows === null || missingRows === 0 ? "" : `, ${missingRows} with missing values`;
  return html`<b>${name}</b>, ${rows} rows${gaps}`;
}
