/** /v1/experiments: as they are started, watched and stopped. An experiment is a rollout by its number. */
import { z } from "zod";
import { selector } from "./api.ts";
import { reason } from "./audit.ts";
import { experimentPlan, experimentResult } from "./experiment.ts";
import { agentId, modelName, sha256Hex } from "./ids.ts";
import { rolloutStates } from "./rollout.ts";

const count = z.int().min(0);

/** POST /v1/experiments. */
export const startExperiment = z.strictObject({
  model: modelName,
  /** The candidate; the incumbent is what the standing rules give each device. */
  version: z.int().min(1),
  selector: selector.default({ all: true }),
  plan: experimentPlan,
});
export type StartExperiment = z.infer<typeof startExperiment>;

/** POST /v1/experiments/{id}/stop. */
export const stopExperiment = z.strictObject({
  /** Candidate: it becomes the standing rule of the experiment's devices. */
  keep: z.enum(["incumbent", "candidate"]).default("incumbent"),
  reason: reason.optional(),
});

/** What an operator may do with one that goes on, beside stopping it. Paused, no device joins it and it does not end by its plan. */
export const experimentActs = ["pause", "resume"] as const;
export type ExperimentAct = (typeof experimentActs)[number];
/** POST /v1/experiments/{id}/{act}. */
export const actOnExperiment = z.strictObject({ reason: reason.optional() });

/** One of the list. */
export const experimentFacts = z.object({
  id: z.int(),
  model: modelName,
  version: z.int(),
  digest: sha256Hex,
  /** Of the rollout that it is. */
  state: z.enum(rolloutStates),
  selector,
  plan: experimentPlan,
  why: z.string(),
  result: experimentResult.nullable(),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  endedAt: z.iso.datetime().nullable(),
});
export type ExperimentFacts = z.infer<typeof experimentFacts>;
/** GET /v1/experiments. */
export const experimentList = z.object({ experiments: z.array(experimentFacts) });
/** GET /v1/experiments/{id}. */
export const experiment = experimentFacts.extend({
  devices: z.array(
    z.object({
      agent: agentId,
      /** Both: it splits the requests by entity. */
      arm: z.enum(["candidate", "incumbent", "both"]),
      /** As a rollout's member stands. */
      state: z.string(),
      since: z.iso.datetime(),
      /** Predictions that the candidate answered there. */
      served: count,
      reason: z.string().nullable(),
    }),
  ),
  /** Devices that cannot take part, and why: they run the incumbent, and count in no arm. */
  leftOut: z.array(z.object({ agent: agentId, reason: z.string() })),
});
export type ExperimentInDetail = z.infer<typeof experiment>;
