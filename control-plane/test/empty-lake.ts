/** A lake that holds nothing and an ingestion that takes nothing, for tests and benches of everything else. */
import type { Parts } from "../src/compose.ts";
import type { Ingestion, Lake } from "../src/ports.ts";
import { noRecords } from "./no-records.ts";

export const noIngestion: Ingestion = {
  take: async () => ({ pause: 1 }),
  stored: async () => [],
  missing: async () => ({}),
  missingByReason: async () => [],
  withheld: async () => [],
};

/** @param over what a test is about: the rest answers that there is nothing. */
export function emptyLake(over: { lake?: Partial<Lake>; ingestion?: Partial<Ingestion> } = {}): Parts["openLake"] {
  return async () => ({
    lake: {
      flush: async () => 0,
      query: async () => ({ columns: [], rows: [], truncated: false }),
      counts: async () => [],
      close: async () => {},
      ...over.lake,
    },
    ingestion: { ...noIngestion, ...over.ingestion },
    records: noRecords,
    close: async () => {},
  });
}
