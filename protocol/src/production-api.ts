/** What runs where and how it does, as the API tells it. */
import { z } from "zod";
import { selector } from "./api.ts";
import { driftScope, driftVerdicts } from "./drift.ts";
import { agentId, modelName, sha256Hex, siteId } from "./ids.ts";
import { watch } from "./watch-api.ts";

/** GET /v1/production: what runs where, trained on what, and how it does. Of each model also the newest version. */
export const production = z.object({
  site: siteId,
  at: z.iso.datetime(),
  /** What somebody has to do before long, such as signing metadata that expire. */
  warnings: z.array(z.string()).optional(),
  models: z.array(
    z.object({
      model: modelName,
      /** Predictions that were answered and lost on their devices (a power failure), as the batches after them say. */
      missing: z.int().min(0).optional(),
      versions: z.array(
        z.object({
          version: z.int(),
          digest: sha256Hex,
          /** Below the floor of the signed targets: assigned to nobody, and no device serves it that has heard. */
          revoked: z.boolean().optional(),
          publishedAt: z.iso.datetime(),
          lineage: z.record(z.string(), z.json()),
          /** Rules in force that name this version; they hold for devices to come, too. */
          assignedTo: z.array(selector),
          /** Devices that have served predictions with this digest and still do. */
          serving: z.array(agentId),
          /** Devices that were given it by rollouts under way: to answer, or to be asked beside what answers. */
          byRollout: z
            .array(
              z.object({
                rollout: z.int(),
                /** It is an experiment that has this number. */
                experiment: z.boolean().optional(),
                canary: z.array(agentId),
                shadow: z.array(agentId),
                /** Of an experiment: it answers some of the entities there. */
                split: z.array(agentId).optional(),
              }),
            )
            .optional(),
          /** How its last rollout or experiment ended, where that did not make it a rule. */
          notKept: z
            .object({
              rollout: z.int(),
              /** It is an experiment that has this number. */
              experiment: z.boolean().optional(),
              /** As `rolled_back`. */
              state: z.string(),
              why: z.string(),
              endedAt: z.iso.datetime(),
            })
            .optional(),
          /** Devices that should, and have not yet (or said why not). */
          pending: z.array(
            z.object({
              agent: agentId,
              state: z.string(),
              reason: z.string().nullable(),
              /** On probation: predictions answered, of those that it takes to serve. */
              passed: z.int().optional(),
              of: z.int().optional(),
            }),
          ),
          /** When the devices told of here last reported what they run and how it drifts; null where none has. */
          reported: z.object({ first: z.iso.datetime(), last: z.iso.datetime() }).nullable(),
          /** Rows of this digest in the lake at `at`; by source they add up to it. */
          predictions: z.int(),
          bySource: z.record(z.string(), z.int()),
          /** Devices whose inputs drifted, by field. */
          drift: z.array(z.object({ field: z.string(), devices: z.array(agentId) })),
          /** What the fleet's own detectors say of all devices together; absent before a window came. */
          fleetDrift: z
            .object({
              verdict: z.enum(driftVerdicts),
              top: z.string().nullable(),
              rounds: z.int().min(0),
              rows: z.int().min(0),
              /** Those that go on. */
              events: z.array(
                z.object({
                  id: z.int(),
                  scope: driftScope,
                  verdict: z.enum(driftVerdicts),
                  features: z.array(z.string()),
                  since: z.iso.datetime(),
                }),
              ),
            })
            .optional(),
        }),
      ),
      /** The last rollout, where it was taken back within a week: devices that had it, and those that run it still. */
      takenBack: z
        .object({
          rollout: z.int(),
          /** It is an experiment that has this number. */
          experiment: z.boolean().optional(),
          version: z.int(),
          state: z.string(),
          why: z.string(),
          endedAt: z.iso.datetime(),
          devices: z.int().min(0),
          waiting: z.array(agentId),
        })
        .optional(),
      /** Every version that is published. */
      published: z.array(z.int()),
      /** The model's other rows in the lake: of versions not told here, and of answers before there was a version. */
      otherPredictions: z.int(),
    }),
  ),
  /** Releases that are under way, the oldest first. */
  rollouts: z
    .array(
      z.object({
        id: z.int(),
        model: modelName,
        version: z.int(),
        /** One of `rolloutStates` of rollout.ts. */
        state: z.string(),
        /** From 1, of so many. */
        stage: z.int(),
        stages: z.int(),
        why: z.string(),
        /** It is an experiment. */
        experiment: z.boolean().optional(),
      }),
    )
    .optional(),
  /** Models that are served elsewhere, and watched here. */
  watched: z.array(watch).optional(),
});
export type Production = z.infer<typeof production>;
