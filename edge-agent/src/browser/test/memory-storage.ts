/** A Storage in memory for tests of the browser's room. */
import type { Storage } from "../../core/ports.ts";

export function memoryStorage(files = new Map<string, Uint8Array<ArrayBuffer>>()): Storage {
  return {
    bootId: "memory",
    read: async (path) => files.get(path)?.slice(),
    write: async (path, bytes) => void files.set(path, new Uint8Array(bytes)),
    list: async (folder) =>
      [...files.keys()]
        .filter((path) => path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).includes("/"))
        .map((path) => path.slice(folder.length + 1))
        .sort(),
    remove: async (path) => void files.delete(path),
    settle: async () => undefined,
    append: async (path) => ({
      append: (bytes) => {
        const before = files.get(path) ?? new Uint8Array();
        const joined = new Uint8Array(before.length + bytes.length);
        joined.set(before);
        joined.set(bytes, before.length);
        files.set(path, joined);
      },
      sync: async () => undefined,
      close: async () => undefined,
    }),
  };
}
