/** The part of the HTTP API that is about alerts: what is wrong, who took it on, and who is told. */
import { z } from "zod";
import { reason } from "./audit.ts";

/** From what can wait to what wakes somebody. */
export const severities = ["info", "warning", "critical"] as const;
export type Severity = (typeof severities)[number];
export const severity = z.enum(severities);

const texts = z.record(z.string(), z.string());

/** One alert from firing to resolved: what is wrong again later is another one, of the same fingerprint. */
export const alert = z.object({
  id: z.int().min(1),
  /** The name that its runbook goes by. */
  name: z.string(),
  severity,
  state: z.enum(["firing", "resolved"]),
  /** Of name and labels: the same for every alert of the same thing. 16 hex digits. */
  fingerprint: z.string(),
  labels: texts,
  /** `summary`, `description`, `runbook_url`. */
  annotations: texts,
  startsAt: z.iso.datetime(),
  /** Null while it fires. */
  endsAt: z.iso.datetime().nullable(),
  /** Since when nothing is wrong any more, and yet not for long enough to call it resolved; else null. */
  quietSince: z.iso.datetime().nullable(),
  acknowledged: z
    .object({
      by: z.string(),
      at: z.iso.datetime(),
      reason: z.string().nullable(),
      /** It holds up to this severity: should the alert become worse, receivers are told again. */
      severity,
    })
    .nullable(),
});
export type Alert = z.infer<typeof alert>;

/** GET /v1/alerts: what fires first, the worst first; then what is resolved, the newest first. */
export const alertList = z.object({ alerts: z.array(alert) });
export const alertStates = ["firing", "resolved", "all"] as const;

/** POST /v1/alerts/{id}/ack. */
export const ackAlert = z.object({ reason: reason.optional() });

export const receiverName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "a receiver's name is 1-63 of a-z 0-9 -");
/** Sent along, as a receiver that wants a token needs it. */
const headers = z
  .record(
    z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, "a header's name is 1-64 of A-Z a-z 0-9 -"),
    z.string().regex(/^[\x20-\x7e]{1,4096}$/, "a header's value is printable ASCII"),
  )
  .refine((given) => Object.keys(given).length <= 16, "at most 16 headers");
/** POST /v1/alert-receivers: webhooks in the shape of Alertmanager's version 4. */
export const addReceiver = z.object({
  name: receiverName,
  url: z.url({ protocol: /^https?$/ }),
  /** Told of this and of what is worse. */
  minSeverity: severity.default("info"),
  /** Never shown again. */
  headers: headers.optional(),
});
export const receiver = z.object({
  name: receiverName,
  url: z.string(),
  minSeverity: severity,
  /** Whether headers of its own are sent; what they say is not told. */
  headers: z.boolean(),
  /** Failures since the last delivery. */
  failures: z.int().min(0),
  lastError: z.string().nullable(),
  lastDelivery: z.iso.datetime().nullable(),
});
export type AlertReceiver = z.infer<typeof receiver>;
/** GET /v1/alert-receivers. */
export const receiverList = z.object({ receivers: z.array(receiver) });
/** POST /v1/alert-receivers/{name}/test: a harmless alert that fires and resolves at once. */
export const receiverTested = z.object({
  name: receiverName,
  delivered: z.boolean(),
  /** What went wrong; null where it was delivered. */
  why: z.string().nullable(),
});
