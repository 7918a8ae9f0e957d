/** /v1/devices and /v1/production: who is there, and what runs where. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { deviceAnswer, deviceList, revokeDevice } from "@vedette/protocol/api";
import { agentId } from "@vedette/protocol/ids";
import { production } from "@vedette/protocol/production-api";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function deviceRoutes(app: OpenAPIHono, ports: HttpPorts): void {
  const { listDevices, describeProduction, missing, revocation } = ports;
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/devices",
      summary: "Every device: its labels, what it should run, what it last reported",
      security: operatorOnly,
      responses: { 200: json(deviceList, "By id"), ...faults },
    }),
    async (c) => c.json({ devices: await listDevices() }, 200),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/production",
      summary: "What model is in production, on which devices, trained on what, and how it does",
      security: operatorOnly,
      responses: { 200: json(production, "By model and version"), ...faults },
    }),
    async (c) => {
      const [answer, lost] = await Promise.all([describeProduction(), missing()]);
      const warnings = ports.warnings();
      const models = answer.models.map((one) => ({ ...one, missing: lost[one.model] ?? 0 }));
      return c.json({ ...answer, warnings, models }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/devices/{agent}/revoke",
      summary: "Take a device's way in: no token, no connection, nothing it sends is taken",
      security: operatorOnly,
      request: { params: z.object({ agent: agentId }), body: body(revokeDevice) },
      responses: { 200: json(deviceAnswer, "Whether this changed anything"), ...faults },
    }),
    async (c) => {
      const { agent } = c.req.valid("param");
      const changed = await revocation.revoke(agent, c.req.valid("json").reason, c.get("actor").name);
      return c.json({ agent, changed }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/devices/{agent}/approve",
      summary: "Give a revoked device its way in again",
      security: operatorOnly,
      request: { params: z.object({ agent: agentId }) },
      responses: { 200: json(deviceAnswer, "Whether this changed anything"), ...faults },
    }),
    async (c) => {
      const { agent } = c.req.valid("param");
      const changed = await revocation.approve(agent, c.get("actor").name);
      // It missed what was decided while it was out.
      if (changed) await ports.assignments.reconcile();
      return c.json({ agent, changed }, 200);
    },
  );
}
