/** Every MQTT payload but the prediction batch. JSON text; readers ignore unknown fields. */
import { z } from "zod";
import { agentAbilities } from "./capability.ts";
import { errorCodes, VedetteError } from "./errors.ts";
import { agentId, epochId, modelName, sha256Hex, siteId } from "./ids.ts";
import { signedText } from "./signed.ts";
import { split } from "./split.ts";

/** Longest payload that any broker must carry. */
export const maxPayloadBytes = 120 * 1024;

/** What the director signs (type `assignment`): what one device should run now. */
export const assignment = z.object({
  site: siteId,
  agent: agentId,
  /** Only ever grows; an equal one says the same. */
  rev: z.int().min(0),
  /** UTC ms by the control plane's clock. */
  issued: z.int(),
  /** The nonce of the request this answers: a replayed assignment has another. */
  nonce: z.string(),
  slots: z
    .array(
      z.object({
        model: modelName,
        digest: sha256Hex,
        length: z.int().min(1),
        release: z.int().min(1),
        /** A second version that is asked the same, off the answer's path: of so large a share of the predictions. */
        beside: z
          .object({
            digest: sha256Hex,
            length: z.int().min(1),
            release: z.int().min(1),
            sample: z.number().gt(0).max(1),
            /** It is not asked beside the one that answers, but answers these entities in its place. */
            split: split.optional(),
          })
          .optional(),
      }),
    )
    .max(64),
});
export type Assignment = z.infer<typeof assignment>;
export type AssignedSlot = Assignment["slots"][number];

/** …/desired, retained: a hint that something changed; the signed assignment is asked for by /req. */
export const desired = z.object({ rev: z.int().min(0) });

/** …/cp, retained. A new incarnation asks every agent to say hello anew. */
export const controlPlaneBirth = z.object({ on: z.boolean(), incarnation: z.string() });

export const slotStates = ["absent", "fetching", "verified", "proving", "probation", "serving", "rejected"] as const;
export type SlotState = (typeof slotStates)[number];
/** Of a version that is asked beside the one that answers. */
export const besideStates = ["fetching", "verified", "proving", "asking", "answering", "rejected"] as const;

/** What a device sent and received of its day, and may. */
export const dataUse = z.object({
  /** UTC ms by the device's clock: when the day began, and when the next one does. */
  since: z.number(),
  until: z.number(),
  /** Sent and received since then, counted over restarts. */
  bytes: z.int().min(0),
  /** Bytes a day that models may fill; null: no limit. */
  limit: z.int().min(0).nullable(),
});
export type DataUse = z.infer<typeof dataUse>;

const slotVersion = z.object({ digest: sha256Hex, release: z.int() });
/** …/reported: what the device really runs. */
export const reported = z.object({
  agent: agentId,
  rev: z.int().min(0),
  at: z.int(),
  abilities: agentAbilities,
  labels: z.record(z.string(), z.string()).default({}),
  /** Why the last hello came to nothing, as with trust metadata that are not signed well; absent once one succeeds. */
  fault: z.object({ code: z.enum(errorCodes), message: z.string().max(2000) }).optional(),
  data: dataUse.optional(),
  slots: z.array(
    z.object({
      model: modelName,
      /** The version in place is past its freshness deadline: the ladder answers. */
      stale: z.boolean().optional(),
      serving: slotVersion.nullable(),
      previous: slotVersion.nullable(),
      /** One of `slotStates`, or of those yet to come. */
      candidate: slotVersion
        .extend({
          state: z.string().max(32),
          reason: z.string().optional(),
          /** The reason in words. */
          why: z.string().max(1000).optional(),
          /** On probation it answers: so many predictions without a trip, of those that it takes to serve. */
          passed: z.int().min(0).optional(),
          of: z.int().min(1).optional(),
        })
        .nullable(),
      /** The version that is asked beside the one that answers; absent where none is assigned. */
      beside: slotVersion
        .extend({
          /** One of `besideStates`, or of those yet to come. */
          state: z.string().max(32),
          reason: z.string().optional(),
          why: z.string().max(1000).optional(),
          /** Digest of the one whose answers it is held against. */
          answering: sha256Hex,
          /** Rows that both were asked since this pair began, and rows that only the answering one was. */
          pairs: z.int().min(0),
          skipped: z.int().min(0),
          /** Predictions that it answered since this process began, where requests are split between the two. */
          served: z.int().min(0).optional(),
        })
        .optional(),
      /** Predictions answered by the pinned digest since it began to serve: the proof of serving. */
      served: z.int().min(0),
      drift: z
        .array(
          z.object({
            name: z.string(),
            n: z.int(),
            missing: z.int(),
            psi: z.number(),
            /** Null before there is a value to judge by. */
            psiCritical: z.number().nullable(),
            ksLow: z.number(),
            ksHigh: z.number(),
            /** p-value of the feature's own test, not corrected for how many there are. */
            pValue: z.number().optional(),
            /** ln of its detector; null before it says anything. */
            logE: z.number().nullable().optional(),
            verdict: z.enum(["insufficient", "none", "drift"]),
          }),
        )
        .default([]),
      /** What the signed policy makes of the last window and of all before it. */
      driftVerdict: z
        .object({
          /** One of `driftVerdicts`, or of those yet to come. */
          verdict: z.string().max(32),
          top: z.string().nullable(),
          windows: z.int().min(0),
          /** The ladder answers because of it. */
          untrusted: z.boolean(),
        })
        .optional(),
      /** Answers by source, and fallbacks by reason, since the agent started. */
      sources: z.record(z.string(), z.int()),
      reasons: z.record(z.string(), z.int()),
    }),
  ),
});
export type Reported = z.infer<typeof reported>;
export type ReportedSlot = Reported["slots"][number];

export const presence = z.object({ on: z.union([z.literal(0), z.literal(1)]), sid: z.int().min(0) });
export const heartbeat = z.object({
  at: z.int(),
  /** Highest revision of its assignment that it followed: one that missed a hint is hinted again. */
  rev: z.int().min(0),
  spoolBatches: z.int().min(0),
  bytesSent: z.int(),
  bytesReceived: z.int(),
});
export type Heartbeat = z.infer<typeof heartbeat>;

const requestBase = z.object({ id: z.string().regex(/^[0-9a-f]{16}$/) });
/** …/req. */
export const request = z.discriminatedUnion("kind", [
  requestBase.extend({
    kind: z.literal("hello"),
    nonce: z.string().regex(/^[0-9a-f]{32}$/),
    abilities: agentAbilities,
    labels: z.record(z.string(), z.string()).default({}),
    /** Highest revision this device has followed: the director answers with one at least as high. */
    rev: z.int().min(0),
    /** The spools this device still holds, so that it learns what is stored. */
    streams: z
      .array(
        z.object({
          stream: modelName,
          epoch: epochId,
          /**
           * Batches below `seq` are not on the device any more: what the control plane lacks of them (its own backup was
           * restored) will never come. `n`: the first prediction that is in no batch, where no batch waits.
           */
          held: z.object({ seq: z.int().min(0).max(0xffff_ffff), n: z.int().min(0).nullable() }).optional(),
        }),
      )
      .max(256)
      .default([]),
  }),
  requestBase.extend({
    kind: z.literal("metadata"),
    file: z.string().regex(/^([1-9][0-9]*\.)?[a-z0-9-]{1,80}\.json$/),
  }),
  requestBase.extend({ kind: z.literal("manifest"), digest: sha256Hex }),
]);
export type Request = z.infer<typeof request>;

/** …/res: one part of an answer. The whole text is the parts 0 … of−1 joined. */
export const response = z.union([
  z.object({ id: z.string(), i: z.int().min(0), of: z.int().min(1).max(64), text: z.string() }),
  z.object({
    id: z.string() /** A code this end does not know is `internal` to it. */,
    error: z.object({ code: z.enum(errorCodes).catch("internal"), message: z.string() }),
  }),
]);
export type Response = z.infer<typeof response>;
/** Characters of text in one part: 3 bytes each at the worst, and still below the packet limit. */
export const responsePartChars = 32 * 1024;

/** What a hello is answered with. */
export const helloAnswer = z.object({
  /** Type `assignment`. Null while nobody has initialised the trust of the site. */
  assignment: signedText.nullable(),
  /** Highest batch stored without a hole before it, for each spool named; −1 where none. */
  stored: z.array(z.object({ stream: modelName, epoch: epochId, upTo: z.int().min(-1) })),
  /** UTC ms. */
  time: z.int(),
  /** Type `command`, see commands.ts: what this device has still to do. */
  commands: z.array(signedText).max(64).default([]),
});
export type HelloAnswer = z.infer<typeof helloAnswer>;

/** …/pull: please send these on …/chunk/{sha256}. */
export const pull = z.object({ chunks: z.array(sha256Hex).min(1).max(16) });

/** …/ack/{stream}: stored for good up to a batch; or refused for good; or please wait. */
export const ack = z.union([
  z.object({ epoch: epochId, upTo: z.int().min(-1), also: z.array(z.int().min(0)).max(256).default([]) }),
  z.object({
    epoch: epochId,
    reject: z.int().min(0),
    why: z.string(),
    /** sha256 of the frame that is refused: a device drops no other one under this number. */
    frame: sha256Hex.optional(),
  }),
  z.object({ pause: z.int().min(0).max(600_000) }),
]);
export type Ack = z.infer<typeof ack>;

/**
 * Parses a JSON payload by its schema.
 * @throws VedetteError invalid_message naming the topic or place it came by.
 */
export function parseMessage<T extends z.ZodType>(schema: T, text: string, where: string): z.infer<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new VedetteError("invalid_message", `${where}: not JSON`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new VedetteError(
    "invalid_message",
    `${where}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? "does not fit"}`,
  );
}
