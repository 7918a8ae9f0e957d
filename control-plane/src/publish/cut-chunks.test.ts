import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { chunkFile } from "./chunk-file.ts";
import { cutChunks, cutSizes } from "./cut-chunks.ts";

/** Bytes that look random, the same ones for a seed. */
function noise(seed: string, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let block = createHash("sha256").update(seed).digest();
  for (let at = 0; at < length; at += 32) {
    bytes.set(block.subarray(0, Math.min(32, length - at)), at);
    block = createHash("sha256").update(block).digest();
  }
  return bytes;
}
const sum = (lengths: readonly number[]) => lengths.reduce((total, length) => total + length, 0);
/** Share of the second file's bytes that are in no chunk of the first. */
function sent(before: Uint8Array<ArrayBuffer>, after: Uint8Array<ArrayBuffer>): number {
  const known = chunkFile("model.onnx", before).blobs;
  const fresh = [...chunkFile("model.onnx", after).blobs].filter(([name]) => !known.has(name));
  return sum(fresh.map(([, bytes]) => bytes.length)) / after.length;
}
const model = noise("weights", 3_000_000);

it("[D13] cuts add up, and only the last chunk of a file is under the least size or any over the most", () => {
  fc.assert(
    fc.property(fc.nat(600_000), fc.constantFrom("noise", "zeros", "stairs"), (length, kind) => {
      const bytes =
        kind === "noise"
          ? model.subarray(0, length)
          : Uint8Array.from({ length }, (_, i) => (kind === "zeros" ? 0 : i >> 8));
      const lengths = cutChunks(bytes);
      expect(sum(lengths)).toBe(length);
      for (const [i, each] of lengths.entries()) {
        expect(each).toBeLessThanOrEqual(cutSizes.max);
        if (i < lengths.length - 1) expect(each).toBeGreaterThanOrEqual(cutSizes.min);
      }
    }),
    { numRuns: 40 },
  );
  expect(cutChunks(new Uint8Array())).toEqual([]);
});

it("[D13] the cuts of equal bytes are the same for ever: what was published is on the devices", () => {
  expect(cutChunks(noise("for ever", 300_000))).toEqual([50721, 50104, 49340, 50981, 61653, 37201]);
});

it("[D14] what is put in, taken out or changed is sent with its chunk, and little else", () => {
  const at = 1_000_000;
  const longer = new Uint8Array(model.length + 13);
  longer.set(model.subarray(0, at));
  longer.set(model.subarray(at), at + 13);
  const shorter = new Uint8Array([...model.subarray(0, at), ...model.subarray(at + 5_000)]);
  const changed = model.slice();
  changed.fill(7, at, at + 30_000); // one in a hundred
  for (const after of [longer, shorter, changed]) expect(sent(model, after)).toBeLessThan(0.06);
  expect(sent(model, model)).toBe(0);
});
