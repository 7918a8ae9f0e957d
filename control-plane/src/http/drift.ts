/** /v1/drift: what the fleet's detectors say, the events, and the windows that prove them. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { driftState, driftWindows } from "@vedette/protocol/drift-api";
import { agentId, modelName } from "@vedette/protocol/ids";
import { faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

/** A whole number in an address. */
const whole = z
  .string()
  .regex(/^[1-9][0-9]{0,8}$/, "a whole number from 1 on")
  .transform(Number);
const question = z.object({ model: modelName.optional(), version: whole.optional() });
const mostWindows = 1000;

export function driftRoutes(app: OpenAPIHono, { drift }: HttpPorts): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/drift",
      summary: "Drift by version, device, cohort and fleet, and its events",
      security: operatorOnly,
      request: { query: question },
      responses: { 200: json(driftState, "Detectors, rounds and events"), ...faults },
    }),
    async (c) => c.json(await drift.state(c.req.valid("query")), 200),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/drift/windows",
      summary: "The windows that devices sent, the newest first; of an event those that prove it",
      security: operatorOnly,
      request: {
        query: question.extend({ agent: agentId.optional(), event: whole.optional(), limit: whole.optional() }),
      },
      responses: { 200: json(driftWindows, "With the kernels' own bytes"), ...faults },
    }),
    async (c) => {
      const { limit = 100, ...asked } = c.req.valid("query");
      return c.json(await drift.windows({ ...asked, limit: Math.min(limit, mostWindows) }), 200);
    },
  );
}
