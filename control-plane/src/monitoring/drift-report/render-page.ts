/**
 * A drift report as one HTML file that needs nothing else: no script, nothing from elsewhere, and a policy of its own that
 * forbids both. Pure: the same document gives the same bytes.
 */
import { createHash } from "node:crypto";
import { html, raw } from "hono/html";
import type { DriftDocument } from "./drift-document.ts";
import { fartherOff } from "./farther-off.ts";
import { featureCards, featureTable } from "./features-part.ts";
import { heatPart } from "./heat-part.ts";
import { pageStyle } from "./page-style.ts";
import { timelinePart } from "./timeline-part.ts";
import { harmPart, incidentsPart, jointPart, notesPart, verdictPart } from "./verdict-part.ts";

const styleHash = createHash("sha256").update(pageStyle).digest("base64");
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'`;

/** The page's text; whatever the document says is escaped. */
export async function renderDriftPage(document: DriftDocument): Promise<string> {
  const { title, features, timeline, heat } = document;
  const farthest = features.toSorted(fartherOff);
  const map = heat && heat.lines.length > 0 ? heatPart(heat) : "";
  // Which device it is comes before what moved there; stretches of a file are a detail.
  const [early, late] = heat?.of === "device" ? [map, ""] : ["", map];
  const page = await html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${raw(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer"><title>Drift: ${title}</title>
<style>${raw(pageStyle)}</style></head><body>
${verdictPart(document)}${harmPart(document)}${incidentsPart(document)}${early}${featureCards(farthest)}${jointPart(document)}
${timeline ? timelinePart(timeline) : ""}${late}${featureTable(features)}${notesPart(document)}
</body></html>
`;
  return String(page);
}
