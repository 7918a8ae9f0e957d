/** A control plane with the real lake, and batches put into it as if its broker had taken them. */

import { openLake } from "../src/lake/open-lake.ts";
import { type Made, makeFrame } from "../src/monitoring/testing.ts";
import type { Ingestion } from "../src/ports.ts";
import { systemClock } from "../src/system-clock.ts";
import { type Site, startSite } from "./site.ts";

export interface RecordsSite extends Site {
  /** Batches of one stream, as an agent makes them. */
  take(...made: Made[]): Promise<void>;
}

export async function startRecordsSite(over: { home?: string } = {}): Promise<RecordsSite> {
  let ingestion: Ingestion | undefined;
  const site = await startSite({
    ...over,
    parts: {
      openLake: async (options) => {
        // The test's clock stands still: rows come at the real time, as threads do.
        const opened = await openLake({ ...options, clock: systemClock });
        ingestion = opened.ingestion;
        return opened;
      },
    },
  });
  return Object.assign(site, {
    async take(...made: Made[]) {
      for (const one of made) await ingestion?.take(one.agent ?? "dev", one.stream ?? "rain", makeFrame(one));
    },
  });
}
