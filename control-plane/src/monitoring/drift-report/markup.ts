/** Small things that the parts of the page share. `html` escapes whatever is put in; nothing here is `raw`. Pure. */
import { html } from "hono/html";

export type Markup = ReturnType<typeof html>;

/** What devices or files called something, in a length that fits; the whole of it is in the title. */
export function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** Three digits; a dash for what is no number. */
export function digits(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "–";
}

export function percent(share: number): string {
  return `${digits(100 * share)} %`;
}

/** A verdict as a word in its colour: never the colour alone. */
export function badge(verdict: string): Markup {
  return html`<span class="badge v-${verdict}">${verdict}</span>`;
}
