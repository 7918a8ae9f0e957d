/** Devices in a sentence. Pure. */

/** More devices than this are counted, not named. */
const mostNamed = 6;

/** `d1, d2 and 3 more`. */
export function namedAgents(agents: readonly string[]): string {
  const more = agents.length > mostNamed ? ` and ${agents.length - mostNamed} more` : "";
  return `${agents.slice(0, mostNamed).join(", ")}${more}`;
}
