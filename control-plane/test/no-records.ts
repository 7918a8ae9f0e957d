/** Records that hold nothing, for tests of everything else. */
import { VedetteError } from "@vedette/protocol/errors";
import type { Labels, Records } from "../src/ports.ts";
import { noMean } from "../src/statistics/mean-sequence.ts";

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

const noArm = { units: 0, crossed: 0, means: noMean, values: noMean };
export const noLabels: Labels = {
  add: async () => ({ stored: 0, repeated: 0, corrected: 0, outdated: 0, erased: 0 }),
  status: async () => ({ models: [] }),
  column: async () => undefined,
  performance: async () => [],
  pairs: async () => [],
  units: async () => ({ candidate: noArm, incumbent: noArm }),
  addMetrics: async () => ({ stored: 0, repeated: 0, erased: 0 }),
  metrics: async () => [],
};
