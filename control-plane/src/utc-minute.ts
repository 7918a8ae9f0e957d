/** A moment as people read it, to the minute. Pure. */

/** @param moment an ISO date-time, or UTC ms. */
export function minute(moment: string | number): string {
  return `${new Date(moment).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
