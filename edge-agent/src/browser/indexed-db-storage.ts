/**
 * Storage in IndexedDB, for pages without the origin private file system (some private windows). Slower, and weaker in one
 * place: `append` hands its bytes to the browser before it returns, but only the browser knows when it has them on disk.
 * Records: a file's bytes under its path; what is appended, one record a call, under [path, number].
 */
import { concatBytes } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import type { Storage } from "../core/ports.ts";
import { committed, openDatabase, requestOf } from "./indexed-db.ts";
import { levelsOf } from "./storage-path.ts";

const files = "files";
const appended = "appended";
const partsOf = (path: string) => IDBKeyRange.bound([path, 0], [path, Number.MAX_SAFE_INTEGER]);

/**
 * @param home Name of one agent's database.
 * @throws VedetteError storage_failed.
 */
export async function openIndexedDbStorage(home: string): Promise<Storage> {
  const database = await openDatabase(home, [files, appended]);
  const writing = () => database.transaction([files, appended], "readwrite", { durability: "strict" });
  return {
    // As in opfs-storage.ts: a page cannot know about boots, so it is always taken for a new one.
    bootId: crypto.randomUUID(),
    async read(path) {
      levelsOf(path);
      const transaction = database.transaction([files, appended]);
      const [whole, parts] = await Promise.all([
        requestOf<unknown>(transaction.objectStore(files).get(path)),
        requestOf<unknown[]>(transaction.objectStore(appended).getAll(partsOf(path))),
      ]);
      const all = [whole, ...parts].filter((part) => part instanceof Uint8Array);
      return all.length > 0 ? concatBytes(all) : undefined;
    },
    async write(path, bytes) {
      levelsOf(path);
      const transaction = writing();
      transaction.objectStore(appended).delete(partsOf(path));
      transaction.objectStore(files).put(new Uint8Array(bytes), path);
      await committed(transaction);
    },
    async list(folder) {
      const prefix = `${levelsOf(folder).join("/")}/`;
      const within = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
      // Every appended file has an (empty) record among the files too, so one store names all.
      const paths = await requestOf(database.transaction(files).objectStore(files).getAllKeys(within));
      const names = paths.map((path) => String(path).slice(prefix.length).split("/")[0] as string);
      return [...new Set(names)].sort();
    },
    async remove(path) {
      levelsOf(path);
      const transaction = writing();
      transaction.objectStore(files).delete(path);
      transaction.objectStore(appended).delete(partsOf(path));
      await committed(transaction);
    },
    // What is committed stays.
    settle: async () => undefined,
    async append(path) {
      levelsOf(path);
      const opening = writing();
      const known = await requestOf(opening.objectStore(files).getKey(path));
      if (known === undefined) opening.objectStore(files).put(new Uint8Array(), path);
      const keys = await requestOf(opening.objectStore(appended).getAllKeys(partsOf(path)));
      let next = keys.length === 0 ? 0 : Number((keys.at(-1) as [string, number])[1]) + 1;
      let pending: Promise<void> = Promise.resolve();
      let failed: unknown;
      return {
        append(bytes) {
          if (failed !== undefined) throw failed;
          const transaction = database.transaction(appended, "readwrite");
          transaction.objectStore(appended).put(new Uint8Array(bytes), [path, next++]);
          const done = committed(transaction);
          transaction.commit();
          // A failure is told at the next append or sync, the first that can still hear it.
          pending = Promise.all([pending, done]).then(
            () => undefined,
            (error: unknown) => {
              failed ??= error;
            },
          );
        },
        async sync() {
          await pending;
          if (failed !== undefined) throw failed;
        },
        async close() {
          await pending;
          if (failed instanceof VedetteError) throw failed;
        },
      };
    },
  };
}
