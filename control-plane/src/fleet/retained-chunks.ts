/** Which chunks an external broker should retain: those of every version that a rule in force names or a device is assigned. */
import { parseManifest } from "@vedette/protocol/bundle";
import type { Database } from "../db/database.ts";
import type { RetainedChunks } from "../ports.ts";
import type { Director } from "../release/director.ts";

export function createRetainedChunks({ db, director }: { db: Database; director: Director }): RetainedChunks {
  /** A version never changes. */
  const known = new Map<string, readonly string[]>();

  const chunksOf = async (digest: string): Promise<readonly string[]> => {
    const before = known.get(digest);
    if (before) return before;
    const text = await db.versions.manifest(digest);
    if (text === undefined) return [];
    const chunks = parseManifest(text).files.flatMap((file) => file.chunks.map(({ sha256 }) => sha256));
    const distinct = [...new Set(chunks)];
    known.set(digest, distinct);
    return distinct;
  };

  return {
    async wanted() {
      const uses = new Map<string, number>();
      const use = (digest: string) => uses.set(digest, (uses.get(digest) ?? 0) + 1);
      const candidates = await director.candidates();
      // A device that comes later is assigned by these at its first hello, and fetches at once.
      for (const { model, version } of await db.assignments.inForce()) {
        const named = candidates.find((one) => one.model === model && one.version === version);
        if (named?.assignable === "yes") use(named.digest);
      }
      for (const { digest } of await db.rollouts.live()) use(digest);
      for (const { digest, beside } of (await db.devices.list()).flatMap(({ slots }) => slots)) {
        use(digest);
        if (beside) use(beside.digest);
      }

      const refs = new Map<string, number>();
      for (const [digest, count] of uses) {
        for (const sha256 of await chunksOf(digest)) refs.set(sha256, (refs.get(sha256) ?? 0) + count);
      }
      return refs;
    },
    kept: () => db.brokerBlobs.list(),
    keep: (chunks) => db.brokerBlobs.put(chunks),
    forget: (sha256) => db.brokerBlobs.remove(sha256),
  };
}
