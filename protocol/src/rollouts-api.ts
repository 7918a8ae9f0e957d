/** /v1/rollouts: releases in stages, as they are started, watched and acted on. */
import { z } from "zod";
import { reason } from "./audit.ts";
import { agentId, modelName, sha256Hex } from "./ids.ts";
import { type Finding, memberStates, rolloutPolicy, rolloutStates } from "./rollout.ts";

/** POST /v1/rollouts. */
export const startRollout = z.strictObject({
  model: modelName,
  version: z.int().min(1),
  policy: rolloutPolicy.prefault({}),
  /** Wait for a rollout that has some of the same devices, instead of being refused. */
  queue: z.boolean().default(false),
});
export type StartRollout = z.infer<typeof startRollout>;

/** What an operator may do with one. */
export const rolloutActs = ["pause", "resume", "abort", "approve", "retry"] as const;
export type RolloutAct = (typeof rolloutActs)[number];
/** POST /v1/rollouts/{id}/{act}. */
export const actOnRollout = z.strictObject({
  reason: reason.optional(),
  /** Of an approval: the stage that was looked at, from 1. Where it is another one by now, nothing is approved. */
  stage: z.int().min(1).max(20).optional(),
});
export type ActOnRollout = z.infer<typeof actOnRollout>;

const finding = z.object({
  metric: z.string(),
  says: z.enum(["fine", "worse", "undecided", "no_evidence"]),
  estimate: z.number().nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  margin: z.number(),
  n: z.number(),
  more: z.number().nullable(),
  why: z.string(),
}) satisfies z.ZodType<Finding>;
const verdict = z.object({
  verdict: z.enum(["promote", "rollback", "undecided"]),
  findings: z.array(finding),
  why: z.string(),
  /** In the last stage: whose pairs and labels the findings rest on, its own alone or all since the rollout began. Absent before. */
  of: z.enum(["last_stage", "all_stages"]).optional(),
});

const stageKind = z.enum(["shadow", "canary"]);
/** One of the list: without its devices. */
export const rolloutFacts = z.object({
  id: z.int(),
  model: modelName,
  version: z.int(),
  digest: sha256Hex,
  state: z.enum(rolloutStates),
  /** Place in `policy.stages`, from 0. */
  stage: z.int(),
  stageSince: z.iso.datetime().nullable(),
  policy: rolloutPolicy,
  /** Why it stands where it stands, for people. */
  why: z.string(),
  /** The last one. */
  verdict: verdict.nullable(),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  endedAt: z.iso.datetime().nullable(),
});
export type RolloutFacts = z.infer<typeof rolloutFacts>;

/** GET /v1/rollouts. */
export const rolloutList = z.object({ rollouts: z.array(rolloutFacts) });

/** GET /v1/rollouts/{id}. */
export const rollout = rolloutFacts.extend({
  /** Devices that the rollout is about and that can take part, members or not yet. */
  eligible: z.int(),
  /** Of the present stage. */
  cohort: z.int(),
  members: z.array(
    z.object({
      agent: agentId,
      kind: stageKind,
      state: z.enum(memberStates),
      since: z.iso.datetime(),
      /** Of what its kind says: predictions served by the candidate, or pairs asked. */
      served: z.int(),
      reason: z.string().nullable(),
      /** While it has the candidate and does not count yet: what was asked of the model there, by the device's own counters. */
      asked: z
        .object({
          /** When it was first seen to follow, or its agent or the control plane began anew. */
          since: z.iso.datetime(),
          answers: z.int().min(0),
          /** Of these, answered by others than a model: cache, rule, none. */
          fallbacks: z.int().min(0),
          /** Why, as `low_confidence`. */
          reasons: z.record(z.string(), z.int()),
        })
        .optional(),
    }),
  ),
  /** Devices that cannot take part, and why. */
  leftOut: z.array(z.object({ agent: agentId, reason: z.string() })),
  /** Once it is rolled back or aborted: how many of those that had it serve their incumbent again. */
  returned: z.object({ of: z.int(), done: z.int(), waiting: z.array(agentId) }).nullable(),
});
export type RolloutInDetail = z.infer<typeof rollout>;

/** POST /v1/rollouts/{id}/replay: what another policy would have done with what happened. */
export const replayRollout = z.strictObject({ policy: rolloutPolicy });
export const replayed = z.object({
  id: z.int(),
  /** What really happened, and what would have. */
  was: z.object({ state: z.enum(rolloutStates), endedAt: z.iso.datetime().nullable() }),
  would: z.object({ state: z.enum(rolloutStates), endedAt: z.iso.datetime().nullable(), why: z.string() }),
  /** Its decisions, in their order. */
  decisions: z.array(z.object({ at: z.iso.datetime(), action: z.string(), detail: z.record(z.string(), z.json()) })),
  /** What the history cannot know, for people. */
  limits: z.array(z.string()),
});
export type Replayed = z.infer<typeof replayed>;
