/** IndexedDB as promises: just what the device key and the fallback storage need. */
import { storageFailed } from "./storage-path.ts";

/** Opens (or makes) a database with these stores. @throws VedetteError storage_failed. */
export function openDatabase(name: string, stores: readonly string[]): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    for (const store of stores) request.result.createObjectStore(store);
  };
  return requestOf(request);
}

/** The result of a request. @throws VedetteError storage_failed, with the browser's own words. */
export function requestOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(storageFailed("the browser's database", request.error));
  });
}

/** Resolves when a transaction is committed. @throws VedetteError storage_failed. */
export function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(storageFailed("the browser's database", transaction.error));
  });
}
