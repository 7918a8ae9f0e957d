/** Shadows: which pairs of versions the director signed for which device, and what devices found. */
import type { PairCounts, ShadowParcel } from "@vedette/protocol/shadow";
import { and, asc, count, eq, exists, gt, gte, inArray, isNull, lt, notExists, or, type SQL, sql } from "drizzle-orm";
import type { Connection } from "./connection.ts";
import { rollouts } from "./rollouts-schema.ts";
import { shadowPairs, shadowParcels, shadowPruned } from "./shadows-schema.ts";

/** Who answers, and who is asked beside it, on one device. */
type SignedPair = Pick<ShadowParcel, "model" | "answering" | "beside">;
/** A parcel as it was taken; `id` grows in the order of arrival. */
export type ShadowParcelRecord = typeof shadowParcels.$inferSelect;

export interface ShadowRepository {
  /** Notes pairs that an assignment for a device names, with the moment of the first time: the earliest, where a clock was ahead. */
  sign(agent: string, pairs: readonly SignedPair[], at: number): Promise<void>;
  /** When a pair was first signed for a device; undefined where it never was. */
  signedAt(agent: string, pair: SignedPair): Promise<number | undefined>;
  /** Stores a parcel once by its (epoch, n), also where it was merged or removed since. Answers whether it is new. */
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
  /**
   * Of one device's pairs with a version, makes one parcel of those that came within the same `ms`, but for those of live
   * rollouts' versions: it has the place of the last of them. Answers how many are no more.
   */
  merge(
    of: { agent: string; model: string; digest: string },
    ms: number,
    add: (a: PairCounts, b: PairCounts) => PairCounts,
  ): Promise<number>;
  /** Removes parcels from before a moment, but for versions whose rollout is live or ended since; `limit` of them are looked at. */
  prune(what: {
    before: number;
    after: number;
    limit: number;
  }): Promise<{ removed: number; seen: number; last: number }>;
  /** Forgets pairs that were signed before a moment, but for those of live rollouts: nothing more is taken of them. */
  forgetPairs(before: number): Promise<number>;
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
        for (const { model, answering, beside } of pairs) {
          const target = [shadowPairs.agent, shadowPairs.model, shadowPairs.answering, shadowPairs.beside];
          tx.insert(shadowPairs)
            .values({ agent, model, answering, beside, signedAt: at })
            .onConflictDoUpdate({ target, set: { signedAt: at }, setWhere: gt(shadowPairs.signedAt, at) })
            .run();
        }
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
      return db.transaction((tx) => {
        const { agent, model, epoch, n } = parcel;
        const those = and(eq(shadowPruned.agent, agent), eq(shadowPruned.model, model), eq(shadowPruned.epoch, epoch));
        const pruned = tx.select({ upTo: shadowPruned.upTo }).from(shadowPruned).where(those).get();
        if (pruned && n <= pruned.upTo) return false;
        return tx.insert(shadowParcels).values(parcel).onConflictDoNothing().run().changes > 0;
      });
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
    async merge({ agent, model, digest }, ms, add) {
      const { id, answering, beside } = shadowParcels;
      const those = and(
        eq(shadowParcels.agent, agent),
        eq(shadowParcels.model, model),
        or(eq(answering, digest), eq(beside, digest)),
      );
      return db.transaction((tx) => {
        const over = sql`${notLive(tx, shadowParcels)}`;
        const all = tx.select().from(shadowParcels).where(and(those, over)).orderBy(asc(id)).all();
        const groups = Map.groupBy(
          all,
          (one) => `${one.answering} ${one.beside} ${one.epoch} ${Math.floor(one.receivedAt / ms)}`,
        );
        let gone = 0;
        for (const group of groups.values()) {
          const last = group.at(-1);
          if (!last || group.length < 2) continue;
          const others = group.slice(0, -1);
          for (const one of others) forget(tx, one);
          // A parcel tells of what came since the one before it: the last has the greatest number.
          const set = {
            fromAt: Math.min(...group.map(({ fromAt }) => fromAt)),
            toAt: Math.max(...group.map(({ toAt }) => toAt)),
            rows: group.reduce((sum, { rows }) => sum + rows, 0),
            counts: group.map(({ counts }) => counts).reduce(add),
            disagreements: group.flatMap(({ disagreements }) => disagreements),
            omitted: group.reduce((sum, { omitted }) => sum + omitted, 0),
          };
          tx.update(shadowParcels).set(set).where(eq(id, last.id)).run();
          gone += others.length;
        }
        return gone;
      });
    },
    async prune({ before, after, limit }) {
      const { id, receivedAt } = shadowParcels;
      return db.transaction((tx) => {
        const seen = tx
          .select({ id, of: notLive(tx, shadowParcels, before) })
          .from(shadowParcels)
          .where(and(gt(id, after), lt(receivedAt, before)))
          .orderBy(asc(id))
          .limit(limit)
          .all();
        const old = seen.filter(({ of }) => of).map((row) => row.id);
        if (old.length > 0)
          for (const one of tx.select().from(shadowParcels).where(inArray(id, old)).all()) forget(tx, one);
        return { removed: old.length, seen: seen.length, last: seen.at(-1)?.id ?? after };
      });
    },
    async forgetPairs(before) {
      return db.transaction((tx) => {
        const old = and(lt(shadowPairs.signedAt, before), sql`${notLive(tx, shadowPairs)}`);
        const gone = tx.delete(shadowPairs).where(old).run().changes;
        if (gone === 0) return 0;
        const { agent, model, answering, beside } = shadowPruned;
        const pair = tx
          .select({ one: sql`1` })
          .from(shadowPairs)
          .where(
            and(
              eq(shadowPairs.agent, agent),
              eq(shadowPairs.model, model),
              eq(shadowPairs.answering, answering),
              eq(shadowPairs.beside, beside),
            ),
          );
        tx.delete(shadowPruned).where(notExists(pair)).run();
        return gone;
      });
    },
  };
}

/** Removes a parcel for good: should it come again, it is not new. */
function forget(tx: Connection, { id, agent, model, epoch, n, answering, beside }: ShadowParcelRecord): void {
  tx.delete(shadowParcels).where(eq(shadowParcels.id, id)).run();
  const target = [shadowPruned.agent, shadowPruned.model, shadowPruned.epoch];
  tx.insert(shadowPruned)
    .values({ agent, model, epoch, upTo: n, answering, beside })
    .onConflictDoUpdate({ target, set: { upTo: sql`max(${shadowPruned.upTo}, ${n})` } })
    .run();
}

/** Whether no rollout that is live, or ended since a moment, is of either version of a pair. */
function notLive(
  tx: Connection,
  { model, answering, beside }: typeof shadowParcels | typeof shadowPairs,
  since = Number.MAX_SAFE_INTEGER,
): SQL<number> {
  const live = tx
    .select({ one: sql`1` })
    .from(rollouts)
    .where(
      and(
        or(isNull(rollouts.endedAt), gte(rollouts.endedAt, since)),
        eq(rollouts.model, model),
        or(eq(rollouts.digest, answering), eq(rollouts.digest, beside)),
      ),
    );
  return sql<number>`NOT ${exists(live)}`;
}
