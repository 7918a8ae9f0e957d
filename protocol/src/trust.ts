/**
 * What Vedette adds to TUF's signed metadata. The targets role (offline) says, in a field of its own, which keys may
 * assign versions and the lowest release of each model that may still be served; each target is one bundle manifest.
 */
import { z } from "zod";
import { modelName, sha256Hex } from "./ids.ts";
import { ed25519PublicKey } from "./signed.ts";

/** Field `x-vedette` of the signed targets metadata. */
export const targetsExtension = z.object({
  /** Public keys (hex) by keyid (sha256 of the 32 key bytes, hex), who may sign assignments. */
  director: z.object({ keys: z.record(sha256Hex, ed25519PublicKey), threshold: z.int().min(1) }),
  /** Lowest release of a model that may be served; raised only by `model revoke`. */
  floors: z.record(modelName, z.int().min(0)).default({}),
});
export type TargetsExtension = z.infer<typeof targetsExtension>;
export const targetsExtensionField = "x-vedette";

/** `custom` of each target in a project's role. */
export const targetCustom = z.object({ model: modelName, release: z.int().min(1) });
export type TargetCustom = z.infer<typeof targetCustom>;

/** The role that a project's release key signs: delegated by targets for `<model>/*`. */
export function roleOf(model: string): string {
  return `project-${model}`;
}

/** The TUF target path of a bundle's manifest. */
export function targetPath(model: string, digest: string): string {
  return `${model}/${digest}.json`;
}

/** Seconds that each role's metadata stays valid. */
export const metadataLifetimes = {
  timestamp: 86_400,
  snapshot: 7 * 86_400,
  targets: 90 * 86_400,
  root: 365 * 86_400,
} as const;

/** How long before its end a signed role is to be renewed, and is warned of, in ms. */
export function renewWithin(role: string): number {
  return (role === "root" ? 60 : 30) * 86_400_000;
}

/** Longest metadata anyone reads, in bytes. */
export const maxMetadataBytes = {
  root: 64 * 1024,
  timestamp: 16 * 1024,
  snapshot: 1024 * 1024,
  targets: 1024 * 1024,
} as const;
