/**
 * Where a file is cut: by its content, so that what is inserted into a model moves the cuts with it and the chunks after
 * it stay the same. A gear hash over the last 64 bytes, as FastCDC does it (Xia et al., USENIX ATC 2016) with its
 * normalised sizes: harder to cut before the size aimed at, easier after it. Pure, and equal bytes give equal cuts for
 * ever: what was published yesterday is on the devices. `docs/decisions/0005` has the figures.
 */
import { maxChunkBytes } from "@vedette/protocol/bundle";

export interface CutSizes {
  /** Bytes; the mean comes out near `normal`. */
  readonly min: number;
  readonly normal: number;
  readonly max: number;
}
export const cutSizes: CutSizes = { min: 16 * 1024, normal: 48 * 1024, max: maxChunkBytes };

/** Bits that must be zero at a cut: more before the normal size, fewer after it. */
const strict = topBits(17);
const easy = topBits(13);
const gear = gearTable();

/** Lengths of the chunks, in order; they add up. */
export function cutChunks(bytes: Uint8Array, sizes: CutSizes = cutSizes): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = nextCut(bytes, at, sizes);
    lengths.push(length);
    at += length;
  }
  return lengths;
}

function nextCut(bytes: Uint8Array, from: number, { min, normal, max }: CutSizes): number {
  const left = bytes.length - from;
  if (left <= min) return left;
  const end = from + Math.min(left, max);
  const turn = Math.min(end, from + normal);
  let hash = 0;
  let at = from + min;
  for (; at < turn; at++) {
    hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
    if ((hash & strict) === 0) return at + 1 - from;
  }
  for (; at < end; at++) {
    hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
    if ((hash & easy) === 0) return at + 1 - from;
  }
  return end - from;
}

/** The highest bits depend on the most bytes. */
function topBits(count: number): number {
  return (-1 << (32 - count)) | 0;
}

/** 256 fixed numbers that look random: SplitMix32 of 0 … 255. */
function gearTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, i) => {
    let x = (Math.imul(i + 1, 0x9e3779b9) ^ 0x5bd1e995) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return x ^ (x >>> 15);
  });
}
