/**
 * What one receiver is to be told now: a pure function of what is and what it was told, so that neither a receiver that was
 * down nor a restart loses anything. Each alert is told as firing, then as resolved, in this order and never only the end;
 * what fires of one model is one message. deliver-alerts.ts sends.
 */
import type { Severity } from "@vedette/protocol/alerts-api";
import type { AlertRecord, ToldRecord } from "../../db/records.ts";
import { atLeast, covered } from "./life-cycle.ts";

/** A message waits for what else goes wrong at the same moment. */
export const groupWaitMs = 10_000;
/** News of a group are told once a minute, unless something critical begins. */
export const groupIntervalMs = 60_000;
/** What nobody acknowledged is told again. */
export const repeatMs = 4 * 3_600_000;
/** Alerts of one message. */
const mostAlerts = 200;

interface Item {
  readonly alert: AlertRecord;
  readonly told: ToldRecord | null;
}
/** An alert as a message shows it: it may be over already, and its beginning yet to be told. */
export interface Shown {
  readonly alert: AlertRecord;
  readonly as: "firing" | "resolved";
}
export interface Message {
  /** The group: a model's name; empty for what is of no model. */
  readonly model: string;
  readonly alerts: readonly Shown[];
  /** Alerts that did not fit. */
  readonly truncated: number;
  /** What the receiver knows once it took the message. */
  readonly told: readonly { alert: number; told: "firing" | "resolved"; severity: Severity }[];
}

/** @param items oldest first. @param sentAt when each group was sent last, by model. @param now UTC ms. */
export function planMessages(
  receiver: { readonly name: string; readonly minSeverity: Severity },
  items: readonly Item[],
  sentAt: ReadonlyMap<string, number>,
  now: number,
): Message[] {
  const wanted = items.filter(
    // It cannot be told that it is not reached.
    ({ alert }) => !(alert.name === "VedetteReceiverFailing" && alert.labels.receiver === receiver.name),
  );
  const groups = Map.groupBy(wanted, ({ alert }) => alert.labels.model ?? "");
  return [...groups].flatMap(([model, all]) => {
    const sent = sentAt.get(model);
    // Sent in times to come: the clock was set back since, and nobody waits until it is there again.
    const then = sent !== undefined && sent > now ? Number.NEGATIVE_INFINITY : sent;
    const message = planGroup(model, all, receiver.minSeverity, then, now);
    return message ? [message] : [];
  });
}

function planGroup(
  model: string,
  items: readonly Item[],
  least: Severity,
  sent: number | undefined,
  now: number,
): Message | undefined {
  const due: Shown[] = [];
  const standing: Shown[] = [];
  const seen = new Set<string>();
  for (const { alert, told } of items) {
    // Of two alerts of one thing the later waits until the end of the earlier is told.
    if (seen.has(alert.fingerprint)) continue;
    const as = nextFor(alert, told, least);
    if (as !== undefined) due.push({ alert, as });
    else if (told?.told === "firing") standing.push({ alert, as: "firing" });
    else continue;
    seen.add(alert.fingerprint);
  }
  const news = due.length > 0 && isTime(due, sent, now);
  const again =
    due.length === 0 && standing.some(({ alert }) => !covered(alert)) && sent !== undefined && now - sent >= repeatMs;
  if (!news && !again) return undefined;
  const alerts = [...due, ...standing].slice(0, mostAlerts);
  return {
    model,
    alerts,
    truncated: due.length + standing.length - alerts.length,
    told: alerts.map(({ alert, as }) => ({ alert: alert.id, told: as, severity: alert.severity })),
  };
}

/** What has to be told of an alert next; undefined where the receiver knows. Below its severity an alert is over for it. */
function nextFor(alert: AlertRecord, told: ToldRecord | null, least: Severity): Shown["as"] | undefined {
  const loud = atLeast(alert.severity, least);
  const fires = alert.state === "firing" && loud;
  if (!told) return loud ? "firing" : undefined;
  if (told.told === "resolved") return fires ? "firing" : undefined;
  if (!fires) return "resolved";
  return told.severity === alert.severity ? undefined : "firing";
}

function isTime(due: readonly Shown[], sent: number | undefined, now: number): boolean {
  const since = Math.min(...due.map(({ alert }) => alert.changedAt));
  if (since <= now && now - since < groupWaitMs) return false;
  const urgent = due.some(({ alert, as }) => as === "firing" && alert.severity === "critical");
  return sent === undefined || urgent || now - sent >= groupIntervalMs;
}
