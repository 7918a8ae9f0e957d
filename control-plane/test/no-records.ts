/** Records that hold nothing, for tests of everything else. */
import { VedetteError } from "@vedette/protocol/errors";
import type { Records } from "../src/ports.ts";

export const noRecords: Records = {
  counts: async () => [],
  policies: async () => [],
  setPolicy: async () => {},
  erase: () => Promise.reject(new VedetteError("unsupported", "this test keeps no records")),
  erasures: async () => [],
  commandsFor: async () => [],
  commandDone: async () => {},
  export: async () => ({ type: "application/x-ndjson", bytes: (async function* () {})() }),
  originals: async () => new Map(),
  verify: () => Promise.reject(new VedetteError("not_found", "this test keeps no records")),
  sinks: async () => [],
  addSink: async () => {},
  removeSink: async () => false,
  dueSinks: async () => [],
  rowsAfter: async () => [],
  delivered: async () => {},
  deliveryFailed: async () => {},
  snapshot: async () => {},
};
