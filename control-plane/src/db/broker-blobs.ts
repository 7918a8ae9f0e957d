/** The chunks that an external broker retains for us. A row is there before its message, so that none is forgotten. */
import { asc, eq } from "drizzle-orm";
import type { RetainedChunk } from "../ports.ts";
import type { Connection } from "./connection.ts";
import { brokerBlobs } from "./schema.ts";

export interface BrokerBlobRepository {
  list(): Promise<RetainedChunk[]>;
  put(chunks: readonly RetainedChunk[]): Promise<void>;
  remove(sha256: string): Promise<void>;
}

export function brokerBlobRepository(db: Connection): BrokerBlobRepository {
  return {
    list: async () => db.select().from(brokerBlobs).orderBy(asc(brokerBlobs.sha256)).all(),
    async put(chunks) {
      db.transaction((tx) => {
        for (const { sha256, refs, unusedSince } of chunks) {
          const set = { refs, unusedSince };
          tx.insert(brokerBlobs)
            .values({ sha256, ...set })
            .onConflictDoUpdate({ target: brokerBlobs.sha256, set })
            .run();
        }
      });
    },
    async remove(sha256) {
      db.delete(brokerBlobs).where(eq(brokerBlobs.sha256, sha256)).run();
    },
  };
}
