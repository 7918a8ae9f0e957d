/** How long to leave somebody alone who did not answer: twice as long each time, half of it at random. Pure. */

/**
 * @param failures so far, before this one; from 0. @param random in [0, 1).
 * @returns whole ms, from half of firstMs · 2^failures up to all of it, at most longestMs.
 */
export function backoffMs(
  failures: number,
  { firstMs, longestMs }: { readonly firstMs: number; readonly longestMs: number },
  random: () => number,
): number {
  const full = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30));
  return Math.round(full * (0.5 + 0.5 * random()));
}
