/** Paths of the Storage port, checked once for every kind of storage a page has. */
import { messageOf, VedetteError } from "@vedette/protocol/errors";

/**
 * The levels of a path.
 * @throws VedetteError invalid_argument for what is no path of plain names.
 */
export function levelsOf(path: string): string[] {
  const levels = path.split("/");
  if (levels.every((level) => /^[A-Za-z0-9._-]+$/.test(level) && level !== "." && level !== "..")) return levels;
  throw new VedetteError(
    "invalid_argument",
    `"${path}" is no storage path: levels of A-Z a-z 0-9 . _ - between slashes`,
  );
}

/** Any failure of the browser's storage, in words that say what to do. */
export function storageFailed(what: string, cause: unknown): VedetteError {
  return new VedetteError("storage_failed", `${what}: ${messageOf(cause)}. Free space, or allow this site its data`, {
    cause,
  });
}
