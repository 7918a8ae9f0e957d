/**
 * Text that devices had a hand in, made safe for a terminal: control characters could rewrite it, and bidirectional ones show
 * what is not there. Pure.
 */

const controls = "\\p{Cc}\\u2028\\u2029\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069";
const inLine = new RegExp(`[${controls}]`, "gu");
const inText = new RegExp(`(?![\\n\\t])[${controls}]`, "gu");

/** A text of one line: line breaks are replaced too. */
export function printableLine(text: string, by = "�"): string {
  return text.replaceAll(inLine, by);
}

/** A text of many lines, which keeps its line breaks and tabs. */
export function printable(text: string): string {
  return text.replaceAll(inText, "�");
}

/** JSON in one line: nothing is lost, and nothing reaches a terminal unescaped. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(inLine, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
