/**
 * The versions of one model that are in memory, and which of them answers. `model-keeper.ts` says what its pins allow;
 * this puts it in the slot and unloads the rest, one change at a time.
 */
import type { Ports } from "./ports.ts";
import type { ModelSlot } from "./serve/model-slot.ts";
import type { ServingVersion } from "./serve/serving-version.ts";

/** Digests, where they may serve. */
export interface Allowed {
  readonly trial: string | undefined;
  readonly serving: string | undefined;
}

export interface VersionsInPlace {
  has(digest: string): boolean;
  /** @param before predictions that it is known to have answered. */
  add(version: ServingVersion, before: number): void;
  /** Predictions answered by a version in memory; 0 for others. */
  servedBy(digest: string): number;
  /** Resolves when the slot serves what is allowed, and nothing else is in memory. One at a time. */
  align(): Promise<void>;
}

export function createVersionsInPlace(options: {
  model: string;
  slot: ModelSlot;
  log: Ports["log"];
  allowed(): Allowed;
  /** Another version, or none, is about to be in place. */
  placing(): void;
  placed(): void;
  unload(version: ServingVersion): Promise<void>;
}): VersionsInPlace {
  const { model, slot } = options;
  /** With what they had answered when they were last put in place. */
  const loaded = new Map<string, { version: ServingVersion; before: number }>();
  let aligning: Promise<void> = Promise.resolve();
  const find = (digest: string | undefined) => (digest === undefined ? undefined : loaded.get(digest));

  const alignNow = async () => {
    const { trial, serving } = options.allowed();
    const wanted = find(trial) ?? find(serving);
    if (slot.version?.digest !== wanted?.version.digest) {
      const leaving = slot.version && loaded.get(slot.version.digest);
      if (leaving) leaving.before += slot.counters.served;
      options.placing();
      await slot.use(wanted?.version ?? null);
      options.log.info("model.in_place", { model, digest: wanted?.version.digest ?? null });
      options.placed();
    }
    const kept = find(serving);
    for (const [digest, each] of loaded) {
      if (each === wanted || each === kept) continue;
      loaded.delete(digest);
      await options.unload(each.version);
    }
  };

  return {
    has: (digest) => loaded.has(digest),
    add: (version, before) => void loaded.set(version.digest, { version, before }),
    servedBy: (digest) =>
      (loaded.get(digest)?.before ?? 0) + (slot.version?.digest === digest ? slot.counters.served : 0),
    align() {
      aligning = aligning.then(alignNow, alignNow);
      return aligning;
    },
  };
}
