/** Rollouts, their members, and what the director lays over the standing rules because of them. */
import type { RolloutState } from "@vedette/protocol/rollout";
import { and, asc, desc, eq, inArray, isNotNull, isNull, lt } from "drizzle-orm";
import { insertRule } from "./assignments.ts";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, RuleRecord } from "./records.ts";
import type { Member, Overlay, Rollout } from "./rollout-records.ts";
import { rolloutHistory, rolloutMembers, rollouts } from "./rollouts-schema.ts";

/** All but what its members are. */
export type RolloutFacts = Omit<Rollout, "members">;
interface HistoryStep {
  readonly at: number;
  readonly changes: unknown;
}

export interface RolloutRepository {
  /** Writes a new one; answers its number. @param entry of that number. */
  create(draft: Omit<Rollout, "id">, entry: (id: number) => AuditEntry): Promise<number>;
  find(id: number): Promise<Rollout | undefined>;
  /** Those that are not over, the oldest first. */
  live(): Promise<Rollout[]>;
  /** Without their members, the newest first. `experiments`: these alone, or all but these; both where it is not said. */
  list(
    limit: number,
    filter?: { model?: string | undefined; state?: RolloutState | undefined; experiments?: boolean },
  ): Promise<RolloutFacts[]>;
  /** What a step made of it, its audit entries, and at a promotion the new standing rule: all of it or nothing. */
  commit(change: {
    before: Rollout;
    after: Rollout;
    entries: readonly AuditEntry[];
    rule?: Omit<RuleRecord, "id"> | undefined;
    history?: HistoryStep | undefined;
  }): Promise<void>;
  /** Of live rollouts, for one device or all: the older rollout first. */
  overlays(agent?: string): Promise<Overlay[]>;
  /** In the order in which it happened. */
  history(id: number): Promise<HistoryStep[]>;
  /** Forgets the history of rollouts that ended before a moment. Answers how many steps. */
  pruneHistory(before: number): Promise<number>;
}

export function rolloutRepository(db: Connection): RolloutRepository {
  function withMembers(rows: readonly RolloutFacts[]): Rollout[] {
    const ids = rows.map(({ id }) => id);
    const all = db.select().from(rolloutMembers).where(inArray(rolloutMembers.rollout, ids)).all();
    const byRollout = Map.groupBy(all, ({ rollout }) => rollout);
    return rows.map((row) => {
      const members = (byRollout.get(row.id) ?? []).map(({ rollout: _, ...member }) => [member.agent, member] as const);
      return { ...row, members: new Map(members) };
    });
  }

  return {
    async create({ members: _none, ...draft }, entry) {
      return db.transaction((tx) => {
        const id = Number(tx.insert(rollouts).values(draft).run().lastInsertRowid);
        record(tx, entry(id));
        return id;
      });
    },
    async find(id) {
      return withMembers(db.select().from(rollouts).where(eq(rollouts.id, id)).all())[0];
    },
    async live() {
      return withMembers(db.select().from(rollouts).where(isNull(rollouts.endedAt)).orderBy(asc(rollouts.id)).all());
    },
    async list(limit, { model, state, experiments } = {}) {
      const wanted = and(
        ...(model === undefined ? [] : [eq(rollouts.model, model)]),
        ...(state === undefined ? [] : [eq(rollouts.state, state)]),
        ...(experiments === undefined ? [] : [(experiments ? isNotNull : isNull)(rollouts.experiment)]),
      );
      return db.select().from(rollouts).where(wanted).orderBy(desc(rollouts.id)).limit(limit).all();
    },
    async commit({ before, after, entries, rule, history }) {
      db.transaction((tx) => {
        const { id, members, ...set } = after;
        if (before !== after) tx.update(rollouts).set(set).where(eq(rollouts.id, id)).run();
        for (const member of members.values()) if (before.members.get(member.agent) !== member) put(tx, id, member);
        if (rule) insertRule(tx, rule, entries.at(-1)?.actor ?? after.createdBy);
        if (history)
          tx.insert(rolloutHistory)
            .values({ rollout: id, ...history })
            .run();
        for (const entry of entries) record(tx, entry);
      });
    },
    async overlays(agent) {
      const { rollout, agent: of, given } = rolloutMembers;
      const { id, model, version, stage, policy, salt, experiment } = rollouts;
      const those = db.select({ id, model, version, stage, policy, salt, experiment }).from(rollouts);
      return those
        .where(isNull(rollouts.endedAt))
        .orderBy(asc(id))
        .all()
        .flatMap((one) => {
          const plan = one.experiment;
          // What an experiment compares is told from outside: nothing is asked of both.
          const sample = plan ? null : (one.policy.stages[one.stage]?.sample ?? 1);
          const split = plan?.split === "entities" ? { split: { salt: one.salt, share: plan.share } } : {};
          const ofDevice = agent === undefined ? [] : [eq(of, agent)];
          const members = db.select({ agent: of, given }).from(rolloutMembers);
          return members
            .where(and(eq(rollout, one.id), isNotNull(given), ...ofDevice))
            .all()
            .flatMap((member) => {
              const { given: kind } = member;
              const { model, version } = one;
              return kind ? [{ agent: member.agent, model, version, kind, sample, ...split }] : [];
            });
        });
    },
    async history(id) {
      const { at, changes } = rolloutHistory;
      const those = eq(rolloutHistory.rollout, id);
      return db.select({ at, changes }).from(rolloutHistory).where(those).orderBy(asc(rolloutHistory.id)).all();
    },
    async pruneHistory(before) {
      const over = db.select({ id: rollouts.id }).from(rollouts).where(lt(rollouts.endedAt, before));
      return db.delete(rolloutHistory).where(inArray(rolloutHistory.rollout, over)).run().changes;
    },
  };
}

function put(tx: Connection, rollout: number, member: Member): void {
  const target = [rolloutMembers.rollout, rolloutMembers.agent];
  tx.insert(rolloutMembers)
    .values({ rollout, ...member })
    .onConflictDoUpdate({ target, set: member })
    .run();
}
