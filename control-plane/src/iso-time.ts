/** Moments that others told, as the API writes them. */

/** The last that ISO 8601 writes with four digits of the year: readers of the API know no other. */
const latest = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** @param ms UTC, from whom it may: a device's clock may say anything. What is no moment since 1970 is the nearest that is. */
export function isoTime(ms: number): string {
  return new Date(Math.min(Math.max(0, ms), latest)).toISOString();
}
