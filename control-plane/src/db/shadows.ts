/** Shadows: which pairs of versions the director signed for which device, and what devices found. */
import type { ShadowParcel } from "@vedette/protocol/shadow";
import { and, asc, count, eq, gt, inArray, sql } from "drizzle-orm";
import type { Connection } from "./connection.ts";
import { shadowPairs, shadowParcels } from "./shadows-schema.ts";

/** Who answers, and who is asked beside it, on one device. */
type SignedPair = Pick<ShadowParcel, "model" | "answering" | "beside">;
/** A parcel as it was taken; `id` grows in the order of arrival. */
type ShadowParcelRecord = typeof shadowParcels.$inferSelect;

export interface ShadowRepository {
  /** Notes pairs that an assignment for a device names, with the moment of the first time. */
  sign(agent: string, pairs: readonly SignedPair[], at: number): Promise<void>;
  /** When a pair was first signed for a device; undefined where it never was. */
  signedAt(agent: string, pair: SignedPair): Promise<number | undefined>;
  /** Stores a parcel once by its (epoch, n). Answers whether it is new. */
  add(parcel: Omit<ShadowParcelRecord, "id">): Promise<boolean>;
  /** What a device sent of a pair so far. */
  sentOf(agent: string, pair: SignedPair): Promise<{ readonly rows: number; readonly parcels: number }>;
  /** What came of two versions of a model since a parcel, whichever of them answered, in the order of arrival. */
  between(
    model: string,
    versions: readonly [string, string],
    after: number,
    limit: number,
  ): Promise<ShadowParcelRecord[]>;
}

export function shadowRepository(db: Connection): ShadowRepository {
  const pairOf = (
    { agent, model, answering, beside }: typeof shadowPairs | typeof shadowParcels,
    of: string,
    pair: SignedPair,
  ) => and(eq(agent, of), eq(model, pair.model), eq(answering, pair.answering), eq(beside, pair.beside));

  return {
    async sign(agent, pairs, at) {
      db.transaction((tx) => {
        for (const { model, answering, beside } of pairs)
          tx.insert(shadowPairs).values({ agent, model, answering, beside, signedAt: at }).onConflictDoNothing().run();
      });
    },
    async signedAt(agent, pair) {
      const { signedAt } = shadowPairs;
      return db
        .select({ signedAt })
        .from(shadowPairs)
        .where(pairOf(shadowPairs, agent, pair))
        .get()?.signedAt;
    },
    async add(parcel) {
      return db.insert(shadowParcels).values(parcel).onConflictDoNothing().run().changes > 0;
    },
    async sentOf(agent, pair) {
      const rows = sql<number>`coalesce(sum(${shadowParcels.rows}), 0)`;
      const sent = db.select({ rows, parcels: count() }).from(shadowParcels);
      return sent.where(pairOf(shadowParcels, agent, pair)).get() ?? { rows: 0, parcels: 0 };
    },
    async between(model, versions, after, limit) {
      const { id, model: of, answering, beside } = shadowParcels;
      return db
        .select()
        .from(shadowParcels)
        .where(and(eq(of, model), inArray(answering, [...versions]), inArray(beside, [...versions]), gt(id, after)))
        .orderBy(asc(id))
        .limit(limit)
        .all();
    },
  };
}
