/** Text into SQL: the only ways that anything of ours is put between quotes. Pure. */

/** A name, quoted. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string literal; NUL, at which the SQL would end, as what makes it. */
export function quoteText(text: string): string {
  const literals = text.split("\0").map((part) => `'${part.replaceAll("'", "''")}'`);
  return literals.length === 1 ? literals.join("") : `(${literals.join(" || chr(0) || ")})`;
}

/** A list of string literals. */
export function quoteList(texts: readonly string[]): string {
  return `[${texts.map(quoteText).join(", ")}]`;
}
