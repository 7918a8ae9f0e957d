/**
 * Bundles on the device, content-addressed: chunks under `chunks/`, manifests under `manifests/`, each by its sha256.
 * Nothing is believed because it is there: bytes are hashed when they come and again each time they are read.
 * `fetch-bundle.ts` fills it, `model-keeper.ts` reads and evicts.
 */

import { type BundleFile, type Manifest, parseManifest } from "@vedette/protocol/bundle";
import { concatBytes, fromUtf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { sha256Hex } from "@vedette/protocol/ids";
import type { Crypto, Logger, Storage } from "../ports.ts";

type Bytes = Uint8Array<ArrayBuffer>;
export type ChunkName = BundleFile["chunks"][number];

export interface BundleStore {
  /** The manifest, or undefined where it is absent or its bytes are not those of its digest. */
  manifest(digest: string): Promise<Manifest | undefined>;
  /** @throws VedetteError digest_mismatch; invalid_manifest or unsupported, before anything is written. */
  putManifest(digest: string, bytes: Bytes): Promise<Manifest>;
  /** Whether a chunk is there whole: its bytes are hashed again. */
  hasChunk(chunk: ChunkName): Promise<boolean>;
  /** @throws VedetteError length_mismatch, digest_mismatch, before anything is written. */
  putChunk(chunk: ChunkName, bytes: Bytes): Promise<void>;
  /**
   * One file of a bundle, whole and verified.
   * @throws VedetteError not_found (the manifest names no such file, or a chunk is gone), digest_mismatch.
   */
  file(manifest: Manifest, path: string): Promise<Bytes>;
  /** Removes every manifest but these, and every chunk that none of these needs. */
  keep(digests: ReadonlySet<string>): Promise<void>;
}

/** @param ports storage is the device's folder; nothing else writes `chunks/` and `manifests/`. */
export function createBundleStore(ports: { storage: Storage; crypto: Crypto; log: Logger }): BundleStore {
  const { storage, crypto, log } = ports;
  const chunkPath = (sha256: string) => `chunks/${sha256}`;
  const manifestPath = (digest: string) => `manifests/${digest}.json`;

  const check = async (what: string, sha256: string, bytes: Bytes) => {
    const got = await crypto.sha256(bytes);
    if (got === sha256) return;
    throw new VedetteError(
      "digest_mismatch",
      `${what} ${sha256} has bytes of sha256 ${got}: they were changed on the way`,
    );
  };
  const readWhole = async (path: string, sha256: string) => {
    const bytes = await storage.read(path);
    return bytes && (await crypto.sha256(bytes)) === sha256 ? bytes : undefined;
  };

  const store: BundleStore = {
    async manifest(digest) {
      const bytes = await readWhole(manifestPath(digest), digest);
      return bytes && parseManifest(fromUtf8(bytes));
    },
    async putManifest(digest, bytes) {
      await check("the manifest", digest, bytes);
      const manifest = parseManifest(textOf(bytes));
      await storage.write(manifestPath(digest), bytes);
      return manifest;
    },
    async hasChunk(chunk) {
      const bytes = await readWhole(chunkPath(chunk.sha256), chunk.sha256);
      return bytes?.length === chunk.length;
    },
    async putChunk(chunk, bytes) {
      if (bytes.length !== chunk.length) {
        const lengths = `is ${bytes.length} bytes long where the manifest says ${chunk.length}`;
        throw new VedetteError("length_mismatch", `chunk ${chunk.sha256} ${lengths}: it was changed on the way`);
      }
      await check("chunk", chunk.sha256, bytes);
      await storage.write(chunkPath(chunk.sha256), bytes);
    },
    async file(manifest, path) {
      const entry = manifest.files.find((file) => file.path === path);
      if (!entry)
        throw new VedetteError("not_found", `the bundle of ${manifest.model} has no file ${path}: publish it again`);
      const parts: Bytes[] = [];
      for (const { sha256 } of entry.chunks) {
        const bytes = await storage.read(chunkPath(sha256));
        if (!bytes)
          throw new VedetteError("not_found", `chunk ${sha256} of ${path} is gone from this device: fetch it again`);
        parts.push(bytes);
      }
      const whole = concatBytes(parts);
      await check(`file ${path}`, entry.sha256, whole);
      return whole;
    },
    async keep(digests) {
      const needed = new Set<string>();
      for (const digest of digests) {
        const manifest = await store.manifest(digest);
        for (const file of manifest?.files ?? []) for (const chunk of file.chunks) needed.add(chunk.sha256);
      }
      for (const name of await storage.list("manifests")) {
        if (!digests.has(name.replace(/\.json$/, ""))) await remove(`manifests/${name}`);
      }
      for (const name of await storage.list("chunks")) {
        if (sha256Hex.safeParse(name).success && !needed.has(name)) await remove(`chunks/${name}`);
      }
    },
  };
  /** What cannot be removed only costs room: the next eviction tries again. */
  const remove = (path: string) =>
    storage.remove(path).catch((error) => log.warn("store.not_removed", { path, why: messageOf(error) }));
  return store;
}

function textOf(bytes: Bytes): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new VedetteError("invalid_manifest", "the manifest is not UTF-8 text: publish the model again", { cause });
  }
}
