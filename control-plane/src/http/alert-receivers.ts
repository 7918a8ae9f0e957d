/** /v1/alert-receivers: who is told of alerts. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import {
  type AlertReceiver,
  addReceiver,
  receiverList,
  receiverName,
  receiverTested,
} from "@vedette/protocol/alerts-api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { refusedAddress } from "../monitoring/alerts/post-webhook.ts";
import { forgetSecrets, hasHeaders, shownAddress, writeSecrets } from "../monitoring/alerts/receiver-secrets.ts";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

const params = z.object({ name: receiverName });

export function alertReceiverRoutes(app: OpenAPIHono, ports: HttpPorts): void {
  const { db, clock, alertDelivery, receiverHeaders } = ports;
  const security = operatorOnly;
  const list = async (): Promise<{ receivers: AlertReceiver[] }> => {
    const receivers = (await db.alerts.receivers()).map(async (one) => {
      const { name, url, minSeverity, failures, lastError, lastDelivery } = one;
      return {
        ...{ name, url, minSeverity, failures, lastError },
        headers: await hasHeaders(receiverHeaders, name),
        lastDelivery: lastDelivery === null ? null : new Date(lastDelivery).toISOString(),
      };
    });
    return { receivers: await Promise.all(receivers) };
  };

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/alert-receivers",
      summary: "Receivers of alerts, and why one has none",
      security,
      responses: { 200: json(receiverList, "By name"), ...faults },
    }),
    async (c) => c.json(await list(), 200),
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/alert-receivers",
      summary: "Tell a webhook of alerts, in the shape of Alertmanager's version 4",
      security,
      request: { body: body(addReceiver) },
      responses: { 200: json(receiverList, "By name"), ...faults },
    }),
    async (c) => {
      const { name, url, minSeverity, headers } = c.req.valid("json");
      const why = refusedAddress(url);
      if (why !== undefined) throw new VedetteError("invalid_argument", `the receiver cannot be added: ${why}`);
      if ((await db.alerts.receivers()).some((one) => one.name === name))
        throw new VedetteError(
          "conflict",
          `there is a receiver ${name} already: remove it first, or choose another name`,
        );
      // Before its row: a receiver is never told of anything without them.
      await writeSecrets(receiverHeaders, name, { url, headers: headers ?? {} });
      const detail = { host: new URL(url).host, minSeverity, headers: Object.keys(headers ?? {}) };
      const entry = {
        at: clock.now(),
        actor: c.get("actor").name,
        action: "alert-receiver.add",
        subject: name,
        detail,
      };
      await db.alerts.addReceiver({ name, url: shownAddress(url), minSeverity }, entry);
      return c.json(await list(), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "delete",
      path: "/v1/alert-receivers/{name}",
      summary: "Tell it no more",
      security,
      request: { params },
      responses: { 200: json(receiverList, "By name"), ...faults },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const actor = c.get("actor").name;
      const entry = { at: clock.now(), actor, action: "alert-receiver.remove", subject: name, detail: {} };
      if (!(await db.alerts.removeReceiver(name, entry)))
        throw new VedetteError("not_found", `there is no receiver ${name}: see vedette alert receiver list`);
      await forgetSecrets(receiverHeaders, name);
      return c.json(await list(), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/alert-receivers/{name}/test",
      summary: "Send a harmless alert that fires and resolves, and say whether it was taken",
      security,
      request: { params },
      responses: { 200: json(receiverTested, "Whether it was taken"), ...faults },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      try {
        await alertDelivery.test(name);
        return c.json({ name, delivered: true, why: null }, 200);
      } catch (error) {
        if (error instanceof VedetteError) throw error;
        return c.json({ name, delivered: false, why: messageOf(error) }, 200);
      }
    },
  );
}
