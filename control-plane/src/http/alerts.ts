/** /v1/alerts: what is wrong and what was, and taking it on. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { ackAlert, alert, alertList, alertStates, severities } from "@vedette/protocol/alerts-api";
import { VedetteError } from "@vedette/protocol/errors";
import type { AlertRecord } from "../db/records.ts";
import { body, faults, json, limit, ofId, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

const query = z.object({
  /** What fires where it is not said. */
  state: z.enum(alertStates).optional(),
  /** Resolved ones at most; 100 where it is not said. */
  limit,
});

export function alertRoutes(app: OpenAPIHono, { alerts, db }: HttpPorts): void {
  const security = operatorOnly;

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/alerts",
      summary: "What fires, the worst first; then what is resolved, the newest first",
      security,
      request: { query },
      responses: { 200: json(alertList, "Alerts"), ...faults },
    }),
    async (c) => {
      const { state = "firing", limit = 100 } = c.req.valid("query");
      const worst = (one: AlertRecord) => -severities.indexOf(one.severity);
      const firing = alerts.firing().toSorted((a, b) => worst(a) - worst(b) || b.startsAt - a.startsAt);
      const resolved = state === "firing" ? [] : await db.alerts.resolved(limit);
      return c.json({ alerts: [...(state === "resolved" ? [] : firing), ...resolved].map(toAnswer) }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/alerts/{id}",
      summary: "One alert",
      security,
      request: { params: ofId },
      responses: { 200: json(alert, "The alert"), ...faults },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const found = await db.alerts.find(id);
      if (!found) throw new VedetteError("not_found", `there is no alert ${id}: see vedette alert list --state all`);
      return c.json(toAnswer(found), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/alerts/{id}/ack",
      summary: "Take an alert on: it is not repeated until it resolves or gets worse",
      security,
      request: { params: ofId, body: body(ackAlert) },
      responses: { 200: json(alert, "The alert"), ...faults },
    }),
    async (c) => {
      const { reason = null } = c.req.valid("json");
      return c.json(toAnswer(await alerts.ack(c.req.valid("param").id, c.get("actor").name, reason)), 200);
    },
  );
}

function toAnswer(record: AlertRecord): z.infer<typeof alert> {
  const { id, name, severity, state, fingerprint, labels, annotations, startsAt, endsAt, quietSince, ack } = record;
  return {
    ...{ id, name, severity, state, fingerprint },
    labels: { ...labels },
    annotations: { ...annotations },
    startsAt: iso(startsAt),
    endsAt: endsAt === null ? null : iso(endsAt),
    quietSince: quietSince === null ? null : iso(quietSince),
    acknowledged: ack && { by: ack.by, at: iso(ack.at), reason: ack.reason, severity: ack.severity },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
