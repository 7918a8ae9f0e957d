/** Numbers drawn from a seed with room for billions of draws, so that thousands of streams never share a piece of the sequence. */

export interface Draw {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Normal with mean 0 and variance 1. */
  normal(): number;
}

/** sfc32 (Chris Doty-Humphrey's small fast counter, of PractRand), seeded by four words; the normals by Marsaglia's polar method. */
export function drawFrom(seed: readonly [number, number, number]): Draw {
  let [a, b, c] = seed;
  let counter = 1;
  const word = (): number => {
    const out = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return out >>> 0;
  };
  for (let i = 0; i < 15; i++) word();
  const uniform = (): number => word() / 2 ** 32;
  let kept = Number.NaN;
  const normal = (): number => {
    if (!Number.isNaN(kept)) {
      const value = kept;
      kept = Number.NaN;
      return value;
    }
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(s)) / s);
      kept = v * scale;
      return u * scale;
    }
  };
  return { uniform, normal };
}

/** FNV-1a of a text: the part of a seed that names what is drawn. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return hash | 0;
}
