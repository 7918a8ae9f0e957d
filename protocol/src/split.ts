/**
 * Which of two versions an entity is answered by while an experiment splits requests: the same on every device, and known
 * afterwards to whoever counts. Both ends use it: the agent to answer, the control plane to tell the arms apart.
 */
import { z } from "zod";
import type { Manifest } from "./bundle.ts";

/** Part of a signed assignment: the second version answers so large a share of the entities. */
export const split = z.object({
  /** Of the experiment, so that two experiments draw lots anew. */
  salt: z.string().regex(/^[0-9a-f]{32}$/),
  share: z.number().gt(0).lt(1),
});
export type Split = z.infer<typeof split>;

/**
 * The lot of a unit (an entity, a device), as if at random over units and salts: in [0, 1), steps of 2⁻³².
 * MurmurHash3 (x86, 32 bits; Appleby 2011) over its UTF-16 code units, each a block; the salt's own hash is the seed. Halves of
 * characters (an id cut in the middle of an emoji) count as U+FFFD, which is what the log has of them.
 */
export function lotOf(salt: string, unit: string): number {
  return hash(unit.toWellFormed(), hash(salt, 0)) / 2 ** 32;
}

/** Whether the candidate answers it. */
export function takesCandidate({ salt, share }: Split, unit: string): boolean {
  return lotOf(salt, unit) < share;
}

function hash(text: string, seed: number): number {
  let mixed = seed;
  for (let i = 0; i < text.length; i++) {
    let block = Math.imul(text.charCodeAt(i), 0xcc9e2d51);
    block = Math.imul((block << 15) | (block >>> 17), 0x1b873593);
    mixed ^= block;
    mixed = (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
  }
  mixed ^= 4 * text.length;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * Why two versions of a model cannot answer the requests of one device side by side, for people; null: they can. Whoever asks
 * must not have to know which of them answers: same inputs in the same order, same outputs.
 */
export function whyNotSplit(incumbent: Manifest, candidate: Manifest): string | null {
  const inputs = ({ input }: Manifest) => JSON.stringify([input.tensors, input.fields.map(signatureOf)]);
  const outputs = ({ output }: Manifest) => JSON.stringify(output);
  if (inputs(incumbent) !== inputs(candidate)) return "their inputs differ";
  return outputs(incumbent) === outputs(candidate) ? null : "their outputs differ";
}

function signatureOf(field: Manifest["input"]["fields"][number]): unknown {
  return [field.name, field.kind, "categories" in field ? field.categories : null, field.required];
}
