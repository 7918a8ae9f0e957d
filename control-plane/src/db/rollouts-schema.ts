/** The tables of rollouts. Conventions and command: schema.ts. */
import type { ExperimentPlan } from "@vedette/protocol/experiment";
import { memberStates, type RolloutPolicy, type RolloutVerdict, rolloutStates } from "@vedette/protocol/rollout";
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Outage, RampState } from "./rollout-records.ts";
import { models } from "./schema.ts";

const memberKinds = ["shadow", "canary", "control", "split"] as const;

/** Releases in stages: where each stands, as the engine left it. Over once `ended_at` says so. */
export const rollouts = sqliteTable(
  "rollouts",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    model: text()
      .notNull()
      .references(() => models.name),
    version: integer().notNull(),
    digest: text().notNull(),
    salt: text().notNull(),
    policy: text({ mode: "json" }).$type<RolloutPolicy>().notNull(),
    experiment: text({ mode: "json" }).$type<ExperimentPlan>(),
    state: text({ enum: rolloutStates }).notNull(),
    stage: integer().notNull(),
    stageSince: integer(),
    approvals: text({ mode: "json" }).$type<readonly number[]>().notNull(),
    ramp: text({ mode: "json" }).$type<RampState>().notNull(),
    pausedAt: integer(),
    undecidedFrom: integer(),
    outages: text({ mode: "json" }).$type<readonly Outage[]>().notNull().default([]),
    verdict: text({ mode: "json" }).$type<RolloutVerdict>(),
    why: text().notNull(),
    createdAt: integer().notNull(),
    createdBy: text().notNull(),
    endedAt: integer(),
  },
  (table) => [index("rollouts_by_end").on(table.endedAt)],
);

/** Their devices; what is given of a live rollout is what the director lays over the standing rules. */
export const rolloutMembers = sqliteTable(
  "rollout_members",
  {
    rollout: integer()
      .notNull()
      .references(() => rollouts.id),
    agent: text().notNull(),
    kind: text({ enum: memberKinds }).notNull(),
    given: text({ enum: memberKinds }),
    joinedAt: integer().notNull(),
    retakenAt: integer(),
    state: text({ enum: memberStates }).notNull(),
    since: integer().notNull(),
    takenAt: integer(),
    takenRev: integer().notNull(),
    reached: integer({ mode: "boolean" }).notNull(),
    reason: text(),
  },
  (table) => [
    primaryKey({ columns: [table.rollout, table.agent] }),
    index("rollout_members_given").on(table.agent).where(sql`given IS NOT NULL`),
  ],
);

/** What the engine was told, step by step: only what changed since the step before. For `rollout replay`. */
export const rolloutHistory = sqliteTable(
  "rollout_history",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    rollout: integer()
      .notNull()
      .references(() => rollouts.id),
    at: integer().notNull(),
    changes: text({ mode: "json" }).$type<unknown>().notNull(),
  },
  (table) => [index("rollout_history_by_rollout").on(table.rollout)],
);
