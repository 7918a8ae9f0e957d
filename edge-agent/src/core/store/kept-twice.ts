/**
 * A small file kept twice, for state without which a device would not serve or forget what it must not follow again. Each
 * copy is written all or nothing; the second is there for a disk that damages the first later.
 */
import type { Logger, Storage } from "../ports.ts";

const copyOf = (path: string): string => `${path}.copy`;

/**
 * @param parse @throws where the bytes are none of ours.
 * @returns what the first readable copy says; undefined where there is neither.
 * @throws what `parse` throws of the file itself where no copy can be read.
 */
export async function readTwice<T>(
  ports: { readonly storage: Storage; readonly log?: Logger },
  path: string,
  parse: (bytes: Uint8Array) => T,
): Promise<T | undefined> {
  const { storage, log } = ports;
  const bytes = await storage.read(path);
  let fault: unknown;
  if (bytes) {
    try {
      return parse(bytes);
    } catch (error) {
      fault = error;
    }
  }
  const copy = await storage.read(copyOf(path));
  if (copy) {
    try {
      const kept = parse(copy);
      log?.warn("storage.copy_read", { path, why: bytes ? "the file is damaged" : "the file is gone" });
      return kept;
    } catch (error) {
      fault ??= error;
    }
  }
  if (fault !== undefined) throw fault;
  return undefined;
}

/** Resolves when both copies would outlive a power failure. */
export async function writeTwice(storage: Storage, path: string, bytes: Uint8Array): Promise<void> {
  await storage.write(path, bytes);
  await storage.write(copyOf(path), bytes);
}
