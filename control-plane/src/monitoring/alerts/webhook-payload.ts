/** A message in the shape of Alertmanager's webhook, version 4 (its documentation: configuration, `<webhook_config>`). Pure. */
import type { AlertRecord } from "../../db/records.ts";
import type { Message, Shown } from "./plan-messages.ts";

type Texts = Readonly<Record<string, string>>;
export interface WebhookPayload {
  readonly version: "4";
  readonly groupKey: string;
  readonly truncatedAlerts: number;
  readonly status: Shown["as"];
  readonly receiver: string;
  readonly groupLabels: Texts;
  readonly commonLabels: Texts;
  readonly commonAnnotations: Texts;
  readonly externalURL: string;
  readonly alerts: readonly {
    readonly status: Shown["as"];
    readonly labels: Texts;
    readonly annotations: Texts;
    readonly startsAt: string;
    readonly endsAt: string;
    readonly generatorURL: string;
    readonly fingerprint: string;
  }[];
}

/** How Alertmanager says of an alert that it has no end yet. */
const noEnd = "0001-01-01T00:00:00Z";

/** @param site its name becomes a label. @param url of the control plane. @param now UTC ms. */
export function webhookPayload(
  message: Pick<Message, "model" | "alerts" | "truncated">,
  to: { readonly receiver: string; readonly site: string; readonly url: string },
  now: number,
): WebhookPayload {
  const { receiver, site, url } = to;
  const groupLabels: Texts = message.model === "" ? { site } : { site, model: message.model };
  const alerts = message.alerts.map(({ alert, as }) => ({
    status: as,
    labels: { ...alert.labels, alertname: alert.name, severity: alert.severity, site },
    annotations: { ...alert.annotations, ...acknowledged(alert) },
    startsAt: iso(alert.startsAt),
    // An alert that fell below a receiver's severity is over for it, and goes on elsewhere.
    endsAt: as === "firing" ? noEnd : iso(alert.endsAt ?? now),
    generatorURL: `${url}/v1/alerts/${alert.id}`,
    fingerprint: alert.fingerprint,
  }));
  return {
    version: "4",
    groupKey: `{}:{${Object.entries(groupLabels)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(", ")}}`,
    truncatedAlerts: message.truncated,
    status: alerts.some(({ status }) => status === "firing") ? "firing" : "resolved",
    receiver,
    groupLabels,
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: url,
    alerts,
  };
}

function acknowledged({ ack }: AlertRecord): Texts {
  if (!ack) return {};
  return { acknowledged_by: ack.by, ...(ack.reason === null ? {} : { acknowledged_reason: ack.reason }) };
}

/** What all have alike. */
function common(all: readonly Texts[]): Texts {
  const [first = {}, ...others] = all;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((one) => one[name] === value)),
  );
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
