/**
 * Tells receivers what plan-messages.ts says they do not know yet. At least once and in order: what a receiver was told is
 * written when it has answered 2xx. One that fails is tried again ever less often, and keeps no other waiting for long.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { backoffMs } from "../../backoff.ts";
import type { Database } from "../../db/database.ts";
import type { AlertRecord, ReceiverRecord } from "../../db/records.ts";
import type { Clock, Logger } from "../../ports.ts";
import { fingerprintOf } from "./alerts.ts";
import { planMessages, type Shown } from "./plan-messages.ts";
import type { PostWebhook } from "./post-webhook.ts";
import type { ReceiverSecrets } from "./receiver-secrets.ts";
import { webhookPayload } from "./webhook-payload.ts";

const retry = { firstMs: 5_000, longestMs: 300_000 };
/** In one round, so that a slow receiver does not hold up the others' next one. */
const roundMessages = 20;

export interface AlertDelivery {
  /** One round. */
  deliver(): Promise<void>;
  /** A harmless alert that fires and resolves at once. @throws VedetteError not_found; Error where it was not taken. */
  test(receiver: string): Promise<void>;
}

export function createAlertDelivery(ports: {
  site: string;
  /** Of the control plane. */
  url: () => string;
  db: Database;
  clock: Clock;
  logger: Logger;
  /** Where a receiver is, and what is sent along. */
  secrets(receiver: string): Promise<ReceiverSecrets>;
  post: PostWebhook;
  /** In [0, 1). */
  random: () => number;
}): AlertDelivery {
  const { site, url, db, clock, logger, secrets, post, random } = ports;

  const send = async (to: ReceiverRecord, model: string, alerts: readonly Shown[], truncated: number) => {
    const payload = webhookPayload({ model, alerts, truncated }, { receiver: to.name, site, url: url() }, clock.now());
    const { url: address, headers } = await secrets(to.name);
    await post(address, JSON.stringify(payload), headers);
  };

  const serve = async (to: ReceiverRecord) => {
    const outbox = await db.alerts.outbox(to.name);
    const messages = planMessages(to, outbox, await db.alerts.groups(to.name), clock.now());
    for (const { model, alerts, truncated, told } of messages.slice(0, roundMessages)) {
      await send(to, model, alerts, truncated);
      await db.alerts.delivered(to.name, model, told, clock.now());
    }
  };

  return {
    async deliver() {
      // None is put off for longer than that: where it looks so, the clock was set back since.
      const isDue = (waitMs: number) => waitMs <= 0 || waitMs > retry.longestMs;
      const due = (await db.alerts.receivers()).filter(({ retryAt }) => isDue(retryAt - clock.now()));
      await Promise.all(
        due.map(async (to) => {
          try {
            await serve(to);
          } catch (error) {
            const inMs = backoffMs(to.failures, retry, random);
            logger.warn("alert_receiver.failed", { receiver: to.name, why: messageOf(error), inMs });
            await db.alerts.failed(to.name, messageOf(error), clock.now(), clock.now() + inMs);
          }
        }),
      );
    },
    async test(name) {
      const to = (await db.alerts.receivers()).find((one) => one.name === name);
      if (!to) throw new VedetteError("not_found", `there is no receiver ${name}: see vedette alert receiver list`);
      const alert = testAlert(name, clock.now());
      for (const as of ["firing", "resolved"] as const) await send(to, "", [{ alert, as }], 0);
    },
  };
}

function testAlert(receiver: string, at: number): AlertRecord {
  const [name, labels] = ["VedetteTest", { receiver }];
  return {
    id: 0,
    key: "test",
    fingerprint: fingerprintOf(name, labels),
    name,
    labels,
    annotations: { summary: "A test, asked for by an operator: nothing is wrong" },
    state: "resolved",
    severity: "info",
    startsAt: at,
    changedAt: at,
    quietSince: at,
    endsAt: at,
    ack: null,
  };
}
