/** Drift: the windows that devices sent, the fleet's detectors over them, and the events they raised. */
import {
  and,
  asc,
  count,
  desc,
  eq,
  getTableColumns,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  notInArray,
  or,
  sql,
} from "drizzle-orm";
import type { Connection } from "./connection.ts";
import { driftBanks, driftEvents, driftEvidence, driftPruned, driftRounds, driftWindows } from "./drift-schema.ts";

export type DriftWindowRecord = typeof driftWindows.$inferSelect;
export type DriftBankRecord = typeof driftBanks.$inferSelect;
/** A detector without its own bytes. */
export type DriftBankFacts = Omit<DriftBankRecord, "bank">;
type DriftRoundRecord = typeof driftRounds.$inferSelect;
export type DriftEventRecord = typeof driftEvents.$inferSelect;
type Window = Omit<DriftWindowRecord, "id" | "round">;

/** What one round came to; all of it is written, or nothing. */
interface DriftRound {
  readonly round: DriftRoundRecord;
  /** Windows that it took up. */
  readonly windows: readonly number[];
  readonly banks: readonly DriftBankRecord[];
  readonly opened: readonly (Omit<DriftEventRecord, "id"> & { readonly evidence: readonly number[] })[];
  readonly raised: readonly (DriftEventRecord & { readonly evidence: readonly number[] })[];
  readonly closed: readonly number[];
}

export interface DriftRepository {
  /** Stores a window once. Answers whether it is new. */
  add(window: Window): Promise<boolean>;
  /** How many windows of a device wait for a round. */
  waitingOf(agent: string): Promise<number>;
  /** Digests that have windows which no round took up. */
  waiting(): Promise<string[]>;
  /** Windows of a version that no round took up, in the order in which they came. */
  pending(digest: string): Promise<DriftWindowRecord[]>;
  banks(digest: string): Promise<DriftBankFacts[]>;
  /** The bytes of one detector. */
  bank(digest: string, subject: string): Promise<Uint8Array | undefined>;
  /** The newest first. */
  rounds(digest: string, limit: number): Promise<DriftRoundRecord[]>;
  /** Writes a round. Answers the ids of the events opened. */
  commit(round: DriftRound): Promise<number[]>;
  /** Windows of some devices that were merged in these rounds, the newest first. */
  merged(digest: string, agents: readonly string[], since: number, limit: number): Promise<DriftWindowRecord[]>;
  openEvents(digest: string): Promise<DriftEventRecord[]>;
  findEvent(id: number): Promise<DriftEventRecord | undefined>;
  /** Open ones first, then the newest. */
  events(digests: readonly string[], limit: number): Promise<DriftEventRecord[]>;
  evidence(event: number): Promise<{ id: number; agent: string; epoch: string; n: number }[]>;
  /** Digests that ever sent a window. */
  digests(): Promise<string[]>;
  /** By device: how many windows are kept, and the last of them. */
  lastWindows(digest: string): Promise<{ windows: number; last: DriftWindowRecord }[]>;
  windows(filter: {
    digests: readonly string[];
    agent?: string | undefined;
    event?: number | undefined;
    limit: number;
  }): Promise<DriftWindowRecord[]>;
  /**
   * Removes windows that prove no event: those from before a moment, and of each device and version all but the newest.
   * Of rounds likewise. Answers how many windows.
   */
  prune(limits: { at: number; before: number; windows: number; rounds: number }): Promise<number>;
}

/** Windows that prove one event: the first ones are what opened it. */
const mostEvidence = 512;

const { bank: _bank, ...facts } = getTableColumns(driftBanks);

/**
 * Marks kept: of a device and version, and of a device. A device sends its windows in order and begins a new epoch only where
 * its state is gone, so that those of older epochs were answered long before.
 */
const marksOfVersion = 4;
const marksOfDevice = 256;

function forgetMarks(tx: Connection): void {
  const { agent, digest, epoch, at } = driftPruned;
  const latest = sql`ORDER BY ${at} DESC, ${epoch}`;
  const place = sql`row_number() OVER (PARTITION BY ${agent}, ${digest} ${latest})`;
  const placeOfAll = sql`row_number() OVER (PARTITION BY ${agent} ${latest})`;
  const numbered = sql`SELECT rowid AS id, ${place} AS place, ${placeOfAll} AS of_all FROM ${driftPruned}`;
  const beyond = sql`SELECT id FROM (${numbered}) WHERE place > ${marksOfVersion} OR of_all > ${marksOfDevice}`;
  tx.run(sql`DELETE FROM ${driftPruned} WHERE rowid IN (${beyond})`);
}

export function driftRepository(db: Connection): DriftRepository {
  return {
    async add(window) {
      return db.transaction((tx) => {
        const { agent, digest, epoch, n } = window;
        const pruned = tx
          .select({ upTo: driftPruned.upTo })
          .from(driftPruned)
          .where(and(eq(driftPruned.agent, agent), eq(driftPruned.digest, digest), eq(driftPruned.epoch, epoch)))
          .get();
        if (pruned && n <= pruned.upTo) return false;
        return tx.insert(driftWindows).values(window).onConflictDoNothing().run().changes > 0;
      });
    },
    async waitingOf(agent) {
      const those = and(eq(driftWindows.agent, agent), isNull(driftWindows.round));
      return db.select({ rows: count() }).from(driftWindows).where(those).get()?.rows ?? 0;
    },
    async waiting() {
      const { digest, round } = driftWindows;
      return db
        .selectDistinct({ digest })
        .from(driftWindows)
        .where(isNull(round))
        .all()
        .map((row) => row.digest);
    },
    async pending(digest) {
      return db
        .select()
        .from(driftWindows)
        .where(and(eq(driftWindows.digest, digest), isNull(driftWindows.round)))
        .orderBy(asc(driftWindows.id))
        .all();
    },
    async banks(digest) {
      return db
        .select(facts)
        .from(driftBanks)
        .where(eq(driftBanks.digest, digest))
        .orderBy(asc(driftBanks.subject))
        .all();
    },
    async bank(digest, subject) {
      const those = and(eq(driftBanks.digest, digest), eq(driftBanks.subject, subject));
      return db.select({ bank: driftBanks.bank }).from(driftBanks).where(those).get()?.bank;
    },
    async rounds(digest, limit) {
      return db
        .select()
        .from(driftRounds)
        .where(eq(driftRounds.digest, digest))
        .orderBy(desc(driftRounds.round))
        .limit(limit)
        .all();
    },
    async commit({ round, windows, banks, opened, raised, closed }) {
      return db.transaction((tx) => {
        tx.insert(driftRounds).values(round).run();
        for (const id of windows)
          tx.update(driftWindows).set({ round: round.round }).where(eq(driftWindows.id, id)).run();
        for (const bank of banks) {
          const { digest, subject, ...set } = bank;
          const target = [driftBanks.digest, driftBanks.subject];
          tx.insert(driftBanks).values(bank).onConflictDoUpdate({ target, set }).run();
        }
        const prove = (event: number, evidence: readonly number[]) => {
          const there = tx.select({ rows: count() }).from(driftEvidence).where(eq(driftEvidence.event, event)).get();
          const room = Math.max(0, mostEvidence - (there?.rows ?? 0));
          for (const window of evidence.slice(0, room))
            tx.insert(driftEvidence).values({ event, window }).onConflictDoNothing().run();
        };
        for (const { evidence, ...event } of raised) {
          tx.update(driftEvents).set(event).where(eq(driftEvents.id, event.id)).run();
          prove(event.id, evidence);
        }
        if (closed.length > 0)
          tx.update(driftEvents)
            .set({ closedAt: round.at })
            .where(inArray(driftEvents.id, [...closed]))
            .run();
        return opened.map(({ evidence, ...event }) => {
          const { id } = tx.insert(driftEvents).values(event).returning({ id: driftEvents.id }).get();
          prove(id, evidence);
          return id;
        });
      });
    },
    async merged(digest, agents, since, limit) {
      if (agents.length === 0) return [];
      const { digest: of, agent, round, id } = driftWindows;
      return db
        .select()
        .from(driftWindows)
        .where(and(eq(of, digest), inArray(agent, [...agents]), sql`${round} >= ${since}`))
        .orderBy(desc(id))
        .limit(limit)
        .all();
    },
    async openEvents(digest) {
      return db
        .select()
        .from(driftEvents)
        .where(and(eq(driftEvents.digest, digest), isNull(driftEvents.closedAt)))
        .orderBy(asc(driftEvents.id))
        .all();
    },
    async findEvent(id) {
      return db.select().from(driftEvents).where(eq(driftEvents.id, id)).get();
    },
    async events(digests, limit) {
      return db
        .select()
        .from(driftEvents)
        .where(inArray(driftEvents.digest, [...digests]))
        .orderBy(sql`${driftEvents.closedAt} IS NOT NULL`, desc(driftEvents.id))
        .limit(limit)
        .all();
    },
    async evidence(event) {
      const { id, agent, epoch, n } = driftWindows;
      return db
        .select({ id, agent, epoch, n })
        .from(driftEvidence)
        .innerJoin(driftWindows, eq(driftEvidence.window, id))
        .where(eq(driftEvidence.event, event))
        .orderBy(asc(id))
        .all();
    },
    async digests() {
      const { digest } = driftRounds;
      const [taken, waiting] = [
        db.selectDistinct({ digest }).from(driftRounds).all(),
        db.selectDistinct({ digest: driftWindows.digest }).from(driftWindows).all(),
      ];
      return [...new Set([...taken, ...waiting].map((row) => row.digest))].sort();
    },
    async lastWindows(digest) {
      const { agent, id } = driftWindows;
      const found = db
        .select({ windows: sql<number>`count(*)`, id: sql<number>`max(${id})` })
        .from(driftWindows)
        .where(eq(driftWindows.digest, digest))
        .groupBy(agent)
        .orderBy(asc(agent))
        .all();
      return found.flatMap(({ windows, id: newest }) => {
        const last = db.select().from(driftWindows).where(eq(id, newest)).get();
        return last ? [{ windows, last }] : [];
      });
    },
    async windows({ digests, agent, event, limit }) {
      const proving = db.select({ id: driftEvidence.window }).from(driftEvidence);
      return db
        .select()
        .from(driftWindows)
        .where(
          and(
            inArray(driftWindows.digest, [...digests]),
            agent === undefined ? undefined : eq(driftWindows.agent, agent),
            event === undefined ? undefined : inArray(driftWindows.id, proving.where(eq(driftEvidence.event, event))),
          ),
        )
        .orderBy(desc(driftWindows.id))
        .limit(limit)
        .all();
    },
    async prune({ at, before, windows, rounds }) {
      return db.transaction((tx) => {
        const proving = tx.select({ id: driftEvidence.window }).from(driftEvidence);
        const { id, agent, digest, epoch, n, receivedAt, round } = driftWindows;
        const place = sql`row_number() OVER (PARTITION BY ${agent}, ${digest} ORDER BY ${id} DESC)`;
        const many = sql`${id} IN (SELECT id FROM (SELECT ${id} AS id, ${place} AS place FROM ${driftWindows}) WHERE place > ${windows})`;
        const old = and(or(lt(receivedAt, before), many), isNotNull(round), notInArray(id, proving));
        const gone = tx
          .select({ agent, digest, epoch, upTo: sql<number>`max(${n})` })
          .from(driftWindows)
          .where(old)
          .groupBy(agent, digest, epoch)
          .all();
        for (const row of gone) {
          const target = [driftPruned.agent, driftPruned.digest, driftPruned.epoch];
          const set = { upTo: sql`max(${driftPruned.upTo}, ${row.upTo})`, at };
          tx.insert(driftPruned)
            .values({ ...row, at })
            .onConflictDoUpdate({ target, set })
            .run();
        }
        if (gone.length > 0) forgetMarks(tx);
        const last = tx
          .select({ digest: driftRounds.digest, round: sql<number>`max(${driftRounds.round})` })
          .from(driftRounds)
          .groupBy(driftRounds.digest)
          .all();
        tx.delete(driftRounds).where(lt(driftRounds.at, before)).run();
        for (const each of last)
          tx.delete(driftRounds)
            .where(and(eq(driftRounds.digest, each.digest), lte(driftRounds.round, each.round - rounds)))
            .run();
        return tx.delete(driftWindows).where(old).run().changes;
      });
    },
  };
}
