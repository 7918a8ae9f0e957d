/**
 * Reads what people want to see out of bytes that the kernels made and took: where the bins of a reference lie, and how
 * many values fell into each. The statistics never pass through here. The layouts are those of `reference.rs`,
 * `window.rs` and `bytes.rs` of abi 2.
 */
import { KernelError } from "./error.ts";
import type { FeatureSpec } from "./kernels.ts";

const abi = 2;
const bins = 128;
const utf8 = new TextDecoder();

/** Values by bin; of a category's codes `code` is bin code + 1, and bins 0 and from known + 2 on are the unseen. */
export interface BinCounts {
  /** 128 bins, from the lowest. */
  readonly bins: Float64Array;
  readonly missing: number;
}
export interface ReferenceBins {
  readonly feature: FeatureSpec;
  /** Lower ends of bins 1 to 127, rising but not strictly; Infinity where there were no values. Null for a category. */
  readonly edges: Float32Array | null;
  readonly counts: BinCounts;
}

/**
 * The bins of each feature of a reference, and the training rows in them.
 * Throws `abi-mismatch`, and `reference-malformed` for bytes that `openReference` would not have taken.
 */
export function readReferenceBins(reference: Uint8Array): ReferenceBins[] {
  const reader = readerOf(reference, "VDRF", "reference-malformed");
  const features = reader.u32();
  reader.u32(); // rows
  return Array.from({ length: features }, () => {
    const name = utf8.decode(reader.take(reader.u8()));
    const feature: FeatureSpec =
      reader.u8() === 0 ? { name, kind: "number" } : { name, kind: "category", known: reader.u8() };
    reader.take(2); // lag
    const edges = feature.kind === "number" ? Float32Array.from({ length: bins - 1 }, () => reader.f32()) : null;
    return { feature, edges, counts: reader.counts() };
  });
}

/**
 * The counts of a window, feature by feature in the reference's order.
 * Throws `abi-mismatch`, and `snapshot-malformed` for bytes that `merge` would not have taken.
 */
export function readSnapshotCounts(snapshot: Uint8Array, features: number): BinCounts[] {
  const reader = readerOf(snapshot, "VDST", "snapshot-malformed");
  reader.take(24); // hash of the reference, rows, rows with a missing value
  return Array.from({ length: features }, () => reader.counts());
}

function readerOf(bytes: Uint8Array, magic: string, code: "reference-malformed" | "snapshot-malformed") {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const step = (length: number): number => {
    const from = at;
    if (from + length > bytes.length) throw new KernelError(code, "it ends too early");
    at += length;
    return from;
  };
  const u8 = () => view.getUint8(step(1));
  const take = (length: number) => {
    const from = step(length);
    return bytes.subarray(from, from + length);
  };
  const u32 = () => view.getUint32(step(4), true);
  if (utf8.decode(take(4)) !== magic) throw new KernelError(code, "it does not begin with the right magic");
  const written = u32();
  if (written !== abi) {
    throw new KernelError("abi-mismatch", `written by kernel abi ${written}, and this reads ${abi}`);
  }

  /** Seven bits a byte, the lowest first. */
  function short(): number {
    let number = 0;
    for (let weight = 1; ; weight *= 128) {
      if (weight > 2 ** 28) throw new KernelError(code, "a count is wider than 32 bits");
      const byte = u8();
      number += (byte % 128) * weight;
      if (byte < 128) return number;
    }
  }

  /** Eight numbers of one width, lowest bit first. By arithmetic: up to 39 bits are pending, more than a shift keeps. */
  function packed(into: Float64Array): void {
    const width = u8();
    if (width > 32) throw new KernelError(code, "a count is wider than 32 bits");
    const size = 2 ** width;
    let pending = 0;
    let held = 0;
    for (let i = 0; i < 8; i++) {
      for (; held < width; held += 8) pending += u8() * 2 ** held;
      into[i] = pending % size;
      pending = Math.floor(pending / size);
      held -= width;
    }
  }

  return {
    u8,
    u32,
    take,
    f32: () => view.getFloat32(step(4), true),
    counts(): BinCounts {
      const missing = short();
      const counts = new Float64Array(bins);
      for (let from = 0; from < bins; from += 8) packed(counts.subarray(from, from + 8));
      return { bins: counts, missing };
    },
  };
}
