/** A control plane with the real lake, and batches put into it as if its broker had taken them. */

import type { BatchHeader } from "@vedette/protocol/prediction-batch";
import { openLake } from "../src/lake/open-lake.ts";
import type { Ingestion } from "../src/ports.ts";
import { systemClock } from "../src/system-clock.ts";
import { type Made, makeAccount, makeFrame, testKeys } from "./batches.ts";
import { type Site, startSite } from "./site.ts";

/** A batch, or an account of what is missing. */
type Sent = Made & { account?: BatchHeader["missing"][number] };

export interface RecordsSite extends Site {
  /** Batches of one stream, as an agent makes them. */
  take(...made: Sent[]): Promise<void>;
}

export async function startRecordsSite(over: { home?: string } = {}): Promise<RecordsSite> {
  let ingestion: Ingestion | undefined;
  const site = await startSite({
    ...over,
    parts: {
      openLake: async (options) => {
        // The test's clock stands still: rows come at the real time, as threads do.
        const opened = await openLake({ ...options, clock: systemClock, deviceKeys: testKeys });
        ingestion = opened.ingestion;
        return opened;
      },
    },
  });
  return Object.assign(site, {
    async take(...made: Sent[]) {
      for (const { account, ...one } of made) {
        const { agent = "dev", stream = "rain", seq = 0 } = one;
        await ingestion?.take(agent, stream, account ? makeAccount(seq, [account]) : makeFrame(one));
      }
    },
  });
}
