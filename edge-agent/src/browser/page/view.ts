/** The example page's few ways to put text on the page: always as text, never as markup. */

/** The element of an id that index.html has. */
export function element<T extends HTMLElement>(id: string, type: { new (): T }): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`index.html has no ${type.name} "${id}"`);
}

/** Terms and what they are; those with nothing to say are left out. */
export function facts(place: HTMLElement, rows: readonly (readonly [string, string])[]): void {
  const parts = rows
    .filter(([, value]) => value !== "")
    .flatMap(([term, value]) => [textIn("dt", term), textIn("dd", value)]);
  place.replaceChildren(...parts);
}

export function table(
  place: HTMLTableElement,
  head: readonly string[],
  rows: readonly (readonly (string | Node)[])[],
): void {
  place.replaceChildren();
  const headRow = place.createTHead().insertRow();
  headRow.append(...head.map((title) => textIn("th", title)));
  const body = place.createTBody();
  for (const cells of rows)
    for (const [i, cell] of cells.entries()) (i === 0 ? body.insertRow() : lastRow(body)).insertCell().append(cell);
}

/** One quiet sentence in place of what there is not. */
export function note(place: HTMLElement, text: string): void {
  const sentence = textIn("p", text);
  sentence.className = "empty";
  if (place instanceof HTMLTableElement) {
    place.replaceChildren();
    place.createCaption().append(sentence);
  } else place.replaceChildren(sentence);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A number to three digits. */
export function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** The middle of a range, to a hundredth of it: digits beyond that say nothing. */
export function middle(min: number, max: number): string {
  const step = 10 ** Math.floor(Math.log10((max - min) / 100 || 1));
  return short(Math.round((min + max) / 2 / step) * step);
}

/** Bytes, as people read them. */
export function shortBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function textIn(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function lastRow(body: HTMLTableSectionElement): HTMLTableRowElement {
  return body.rows[body.rows.length - 1] as HTMLTableRowElement;
}
