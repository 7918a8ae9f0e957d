/** The part of the HTTP API that is about drift: what devices sent, what the fleet's own detectors say, and the events. */
import { z } from "zod";
import { driftScope, driftVerdicts } from "./drift.ts";
import { agentId, epochId, modelName, sha256Hex } from "./ids.ts";

const verdict = z.enum(driftVerdicts);
const count = z.int().min(0);

/** A feature of an event, as the rows that prove it show it against the reference. */
export const driftEventFeature = z.object({
  name: z.string(),
  /** ln of its detector when the event was raised. */
  logE: z.number(),
  psi: z.number(),
  /** KS distance of a number, L∞ of the shares of a category. */
  effect: z.number(),
  n: count,
  missing: count,
});
export type DriftEventFeature = z.infer<typeof driftEventFeature>;

export const driftEvent = z.object({
  id: z.int(),
  model: modelName,
  version: z.int(),
  digest: sha256Hex,
  scope: driftScope,
  /** `drift` or `critical`: the worst so far. */
  verdict,
  openedAt: z.iso.datetime(),
  /** When its detector alarmed last, and how often it has. */
  raisedAt: z.iso.datetime(),
  raised: z.int().min(1),
  /** Null: it goes on. */
  closedAt: z.iso.datetime().nullable(),
  logE: z.number(),
  /** The loudest first. */
  features: z.array(driftEventFeature),
  /** The devices whose rows prove it. */
  agents: z.array(agentId),
  /** The windows that do; `id` is theirs in GET /v1/drift/windows. */
  windows: z.array(z.object({ id: z.int(), agent: agentId, epoch: epochId, n: count })),
});
export type DriftEvent = z.infer<typeof driftEvent>;

const detector = z.object({
  /** What the last round's rows alone say; with an open event, the event's. */
  verdict,
  top: z.string().nullable(),
  /** ln of the detector, since it began or began anew after an alarm. */
  logE: z.number(),
  /** By feature, in the order of `features`. */
  byFeature: z.array(z.number()),
  /** Rounds and rows since then. */
  rounds: count,
  rows: count,
});

/** GET /v1/drift: by version that sent windows. */
export const driftState = z.object({
  at: z.iso.datetime(),
  versions: z.array(
    z.object({
      model: modelName,
      version: z.int(),
      digest: sha256Hex,
      /** Rounds to a false alarm, on average, of the fleet's detector; of all devices' together. */
      threshold: z.number(),
      features: z.array(z.string()),
      fleet: detector.nullable(),
      cohorts: z.array(detector.extend({ label: z.string(), value: z.string() })),
      devices: z.array(
        detector.extend({
          agent: agentId,
          windows: count,
          lastWindow: z.iso.datetime(),
          /** What the device itself says, by its own detector. */
          said: z.object({ verdict, top: z.string().nullable(), logE: z.number().nullable() }),
        }),
      ),
      /** The newest first. */
      rounds: z.array(
        z.object({
          round: z.int(),
          at: z.iso.datetime(),
          devices: count,
          rows: count,
          /** Devices that sent more than their share, and counted for that. */
          capped: count,
          verdict,
          top: z.string().nullable(),
          logE: z.number(),
        }),
      ),
    }),
  ),
  /** Open ones first, then the newest. */
  events: z.array(driftEvent),
});
export type DriftState = z.infer<typeof driftState>;

/** GET /v1/drift/windows?model=&version=&agent=&event=&limit=: the newest first. */
export const driftWindows = z.object({
  windows: z.array(
    z.object({
      id: z.int(),
      agent: agentId,
      model: modelName,
      digest: sha256Hex,
      epoch: epochId,
      n: count,
      /** UTC, by the device's clock. */
      from: z.iso.datetime(),
      to: z.iso.datetime(),
      receivedAt: z.iso.datetime(),
      rows: count,
      verdict,
      top: z.string().nullable(),
      logE: z.number().nullable(),
      /** The kernels' own bytes. */
      snapshot: z.base64(),
    }),
  ),
});

/** What a listener hears of an event: it opened, was raised again (perhaps worse), or is over. */
export interface DriftNews {
  readonly kind: "opened" | "raised" | "closed";
  readonly event: DriftEvent;
}
