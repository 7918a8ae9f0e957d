/** /v1/devices and /v1/production: who is there, and what runs where. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { deviceList, production } from "@vedette/protocol/api";
import { faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function deviceRoutes(app: OpenAPIHono, { listDevices, describeProduction, missing }: HttpPorts): void {
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
      const models = answer.models.map((one) => ({ ...one, missing: lost[one.model] ?? 0 }));
      return c.json({ ...answer, models }, 200);
    },
  );
}
