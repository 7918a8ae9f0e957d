/** Whether a run is asked of a second version: by its first prediction's number, so that the choice can be told afterwards. */

/**
 * A hash of the number (the finaliser of MurmurHash3) against the share: the same for a number always, and as if at random
 * over numbers.
 */
export function sampled(n: number, share: number): boolean {
  if (share >= 1) return true;
  let mixed = (n ^ Math.floor(n / 2 ** 32)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed = (mixed ^ (mixed >>> 16)) >>> 0;
  return mixed < share * 2 ** 32;
}
