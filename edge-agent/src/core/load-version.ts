/** From a pin to a version that can answer: its files from the store, proven on the device's backend, with its drift watch. */
import type { Manifest } from "@vedette/protocol/bundle";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { KernelError } from "@vedette/wasm-kernels";
import type { MemoryUse } from "./memory-use.ts";
import type { Backend, Ports, Session } from "./ports.ts";
import { filesOfProof, prove } from "./prove/prove.ts";
import type { ServingVersion } from "./serve/serving-version.ts";
import type { BesideVersion } from "./shadow/beside-keeper.ts";
import type { BundleStore } from "./store/bundle-store.ts";
import type { Pin } from "./store/life-cycle.ts";
import type { DriftOutbox } from "./watch/drift-outbox.ts";
import { createDriftWatch, type DriftReference } from "./watch/drift-watch.ts";

export interface Loader {
  /**
   * To answer. `quick`: what was proven before, at boot.
   * @param as `beside`: it answers some of the entities, and gives way to what answers where memory is short.
   */
  load(pin: Pick<Pin, "digest" | "release">, quick: boolean, as?: "answering" | "beside"): Promise<ServingVersion>;
  /** To be asked beside what answers: where it holds up no answer, and without a drift watch. */
  loadBeside(digest: string, quick: boolean): Promise<BesideVersion>;
  /** Why there is no memory for a version beside those that answer, for people; null where there is. */
  lacksBeside(digest: string): Promise<string | null>;
  /** Gives back what a version took: its session, and its place in memory. */
  release(session: Session): Promise<void>;
}

/**
 * @param options.changed is called when a drift verdict is new.
 * What it returns throws VedetteError as `prove`; not_found where the bundle is not here whole; invalid_manifest where
 *   its drift reference cannot be opened.
 */
export function createLoader(options: {
  ports: Pick<Ports, "backend" | "besideBackend" | "prover" | "clock" | "log">;
  store: Pick<BundleStore, "manifest" | "file">;
  memory: MemoryUse;
  kernels: { openReference(bytes: Uint8Array): DriftReference };
  /** Of these kernels. */
  abi: number;
  outbox: DriftOutbox;
  /** What to add to the device's clock to reach the control plane's, ms; null before it is known. */
  offset: () => number | null;
  schedule: (call: () => void) => void;
  changed: () => void;
}): Loader {
  const { ports, store, memory, kernels, abi, outbox, offset, schedule, changed } = options;
  const { clock, log } = ports;

  const openDrift = (digest: string, manifest: Manifest, bytes: Uint8Array<ArrayBuffer>) => {
    let reference: DriftReference;
    try {
      reference = kernels.openReference(bytes);
    } catch (cause) {
      if (cause instanceof KernelError && cause.code === "abi-mismatch") {
        // Published for kernels of another time: it answers as ever, unwatched, until it is published again.
        log.warn("drift.not_watched", { model: manifest.model, digest, why: cause.message });
        return null;
      }
      const why = `drift reference ${manifest.drift.file} of ${manifest.model} cannot be opened: ${messageOf(cause)}`;
      throw new VedetteError("invalid_manifest", `${why}: publish the model again`, { cause });
    }
    const { model } = manifest;
    return createDriftWatch({
      reference,
      manifest,
      keep: outbox.of(model, digest, abi),
      clock,
      offset,
      schedule,
      lost: (why) => log.warn("drift.began_anew", { model, digest, why: messageOf(why) }),
      finished: changed,
    });
  };

  const manifestOf = async (digest: string) => {
    const manifest = await store.manifest(digest);
    if (manifest) return manifest;
    throw new VedetteError("not_found", `the manifest ${digest} is not on this device: fetch it again`);
  };
  /** By session: how its place in memory is given back. */
  const places = new WeakMap<Session, () => void>();
  const sessionOf = async (
    version: { digest: string; manifest: Manifest },
    as: "answering" | "beside",
    backend: Backend,
    quick: boolean,
  ): Promise<Session> => {
    const giveBack = memory.claim(version, as);
    try {
      const session = await provenSession(version.manifest, backend, quick);
      places.set(session, giveBack);
      return session;
    } catch (error) {
      giveBack();
      throw error;
    }
  };
  const provenSession = async (manifest: Manifest, backend: Backend, quick: boolean) => {
    const file = (path: string) => store.file(manifest, path);
    // What was proven before is not again: boots are quick, and the life cycle counts those that never end.
    const apart = quick ? undefined : ports.prover;
    if (apart) await apart.prove({ manifest, files: await filesOfProof(manifest, file) });
    return prove({ manifest, file, backend, clock, quick: quick || !!apart });
  };

  return {
    async load({ digest, release }, quick, as = "answering") {
      const manifest = await manifestOf(digest);
      const drift = openDrift(digest, manifest, await store.file(manifest, manifest.drift.file));
      try {
        const session = await sessionOf({ digest, manifest }, as, ports.backend, quick);
        return { digest, release, manifest, session, drift };
      } catch (error) {
        drift?.close(false);
        throw error;
      }
    },
    async loadBeside(digest, quick) {
      const manifest = await manifestOf(digest);
      const session = await sessionOf({ digest, manifest }, "beside", ports.besideBackend ?? ports.backend, quick);
      return { digest, manifest, session };
    },
    async lacksBeside(digest) {
      return memory.lacks({ digest, manifest: await manifestOf(digest) });
    },
    async release(session) {
      try {
        await session.release();
      } finally {
        places.get(session)?.();
      }
    },
  };
}
