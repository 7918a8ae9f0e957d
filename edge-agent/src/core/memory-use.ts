/**
 * What of the device's memory the versions that are loaded may take, by the limits of their bundles: so that a version which
 * is only asked beside never takes what one that answers needs. Those that answer are counted and never refused.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { lacksMemoryFor } from "@vedette/protocol/capability";

interface Version {
  readonly digest: string;
  readonly manifest: Pick<Manifest, "limits">;
}

export interface MemoryUse {
  /** Counts a version that is about to be loaded. Answers how to give it back. */
  claim(version: Version, as: "answering" | "beside"): () => void;
  /** Why a version cannot be in memory to be asked beside, for people; null where it can, or is already. */
  lacks(version: Version): string | null;
}

/**
 * @param has bytes of this device; undefined where the platform does not tell: nothing is refused then.
 * @param pressed is called when one that answers comes, and what is asked beside may have to go.
 */
export function createMemoryUse(has: number | undefined, pressed: () => void): MemoryUse {
  const claims = new Set<{ readonly digest: string; readonly bytes: number; readonly as: "answering" | "beside" }>();
  return {
    claim({ digest, manifest }, as) {
      const claim = { digest, bytes: manifest.limits.memoryBytes, as };
      claims.add(claim);
      if (as === "answering") pressed();
      return () => void claims.delete(claim);
    },
    lacks({ digest, manifest }) {
      const others = [...claims].filter((one) => one.as === "answering" || one.digest !== digest);
      return lacksMemoryFor(
        others.map(({ bytes }) => bytes),
        manifest.limits.memoryBytes,
        has,
      );
    },
  };
}
