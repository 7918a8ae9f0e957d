/**
 * Storage on the origin private file system, in a dedicated worker (only there are writes synchronous). A write goes to
 * `name~`, is flushed, and is then moved over `name`: `~` is in no path of ours, so that leftovers are never read or listed.
 *
 * A page cannot know whether the machine booted anew (a browser that restores its session restores cookies and session
 * storage too), so `bootId` is constant from opening to closing and another one at every opening: core then takes the
 * careful way, as after a power failure. The price is that a page closed in haste counts the numbers it had reserved and
 * not used as lost; the gain is that no number is ever given twice.
 */
import { VedetteError } from "@vedette/protocol/errors";
import type { AppendFile, Storage } from "../core/ports.ts";
import { levelsOf, storageFailed } from "./storage-path.ts";

/** What dedicated workers have and the DOM's types do not. */
interface SyncFile {
  read(into: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}
interface WorkerFileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncFile>;
  move(name: string): Promise<void>;
}

/** Whether this worker has all that `openOpfsStorage` needs; private windows of some browsers do not. */
export async function hasOpfs(): Promise<boolean> {
  const prototype = globalThis.FileSystemFileHandle?.prototype;
  if (!prototype || !("createSyncAccessHandle" in prototype) || !("move" in prototype)) return false;
  return navigator.storage.getDirectory().then(
    () => true,
    () => false,
  );
}

/**
 * @param home Folder of one agent; nobody else may write there meanwhile (the caller holds a Web Lock).
 * @throws VedetteError storage_failed.
 */
export async function openOpfsStorage(home: string): Promise<Storage> {
  const root = await guarded("open", home, async () =>
    (await navigator.storage.getDirectory()).getDirectoryHandle(home, { create: true }),
  );
  /** Files open to append hold the browser's lock: they are read through their own handle. */
  const appending = new Map<string, SyncFile>();
  const inTurn = createTurns();

  const folderOf = async (levels: readonly string[], create: boolean) => {
    let folder = root;
    for (const level of levels) folder = await folder.getDirectoryHandle(level, { create });
    return folder;
  };
  const fileOf = async (path: string, create: boolean, suffix = ""): Promise<WorkerFileHandle> => {
    const levels = levelsOf(path);
    const folder = await folderOf(levels.slice(0, -1), create);
    return (await folder.getFileHandle(levels.at(-1) + suffix, { create })) as WorkerFileHandle;
  };

  return {
    bootId: crypto.randomUUID(),
    read: (path) =>
      inTurn(path, () =>
        guarded("read", path, async () => {
          const open = appending.get(path);
          if (open) return readAll(open);
          const handle = await unlessMissing(fileOf(path, false));
          if (!handle) return undefined;
          const file = await openSync(handle);
          try {
            return readAll(file);
          } finally {
            file.close();
          }
        }),
      ),
    write: (path, bytes) =>
      inTurn(path, () =>
        guarded("write", path, async () => {
          const handle = await fileOf(path, true, "~");
          const file = await openSync(handle);
          try {
            file.truncate(0);
            writeAll(file, bytes, 0);
            file.flush();
          } finally {
            file.close();
          }
          await handle.move(levelsOf(path).at(-1) as string);
        }),
      ),
    list: (folder) =>
      guarded("list", folder, async () => {
        const names: string[] = [];
        const handle = await unlessMissing(folderOf(levelsOf(folder), false));
        for await (const name of handle?.keys() ?? []) if (!name.endsWith("~")) names.push(name);
        return names.sort();
      }),
    remove: (path) =>
      inTurn(path, () =>
        guarded("remove", path, async () => {
          const levels = levelsOf(path);
          const folder = await unlessMissing(folderOf(levels.slice(0, -1), false));
          await unlessMissing(folder?.removeEntry(levels.at(-1) as string) ?? Promise.resolve());
        }),
      ),
    // A page has no more than the browser's own promise.
    settle: async () => undefined,
    append: (path) =>
      inTurn(path, () =>
        guarded("append to", path, async () => {
          if (appending.has(path)) throw new VedetteError("busy", `${path} is open to append already: close it first`);
          const file = await openSync(await fileOf(path, true));
          appending.set(path, file);
          return appendFile(path, file, () => appending.delete(path));
        }),
      ),
  };
}

const opening = new Set<WorkerFileHandle>();

/**
 * Chromium (seen in 156) never settles the promise of a handle that is garbage-collected meanwhile, and nothing else of ours
 * holds it: what waited for the file then waited for ever.
 */
async function openSync(handle: WorkerFileHandle): Promise<SyncFile> {
  opening.add(handle);
  try {
    return await handle.createSyncAccessHandle();
  } finally {
    opening.delete(handle);
  }
}

function appendFile(path: string, file: SyncFile, closed: () => void): AppendFile {
  let end = file.getSize();
  return {
    append(bytes) {
      writeAll(file, bytes, end);
      end += bytes.length;
    },
    sync: () => guarded("sync", path, async () => file.flush()),
    close: () =>
      guarded("close", path, async () => {
        file.flush();
        file.close();
        closed();
      }),
  };
}

function readAll(file: SyncFile): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(file.getSize());
  const got = file.read(bytes, { at: 0 });
  return got === bytes.length ? bytes : bytes.slice(0, got);
}

/** @throws VedetteError storage_failed where the disk took only a part. */
function writeAll(file: SyncFile, bytes: Uint8Array, at: number): void {
  const wrote = file.write(bytes, { at });
  if (wrote === bytes.length) return;
  throw storageFailed("write", new Error(`the disk took ${wrote} of ${bytes.length} bytes`));
}

/** One operation on a path at a time: the browser's own lock would refuse the second instead of letting it wait. */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return <T>(path: string, work: () => Promise<T>): Promise<T> => {
    const turn = (last.get(path) ?? Promise.resolve()).then(work, work);
    last.set(path, turn);
    const forget = () => {
      if (last.get(path) === turn) last.delete(path);
    };
    turn.then(forget, forget);
    return turn;
  };
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

async function guarded<T>(what: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof VedetteError ? error : storageFailed(`cannot ${what} ${path}`, error);
  }
}
