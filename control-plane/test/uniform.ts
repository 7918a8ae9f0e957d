/** Random numbers that are the same in every run. */

/** Lehmer's generator, in (0, 1). */
export function uniform(seed: number): () => number {
  let state = (seed * 48271 + 1) % 2147483647;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Standard normal, by Box & Muller. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
}
