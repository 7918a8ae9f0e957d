/** /v1/assignments: which version the selected devices should run. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { assignAnswer, assignRequest } from "@vedette/protocol/api";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function assignmentRoutes(app: OpenAPIHono, { assignments }: HttpPorts): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/assignments",
      summary: "Assign a version (null: none) to devices; a standing rule, which devices that match later follow too",
      security: operatorOnly,
      request: { body: body(assignRequest) },
      responses: { 200: json(assignAnswer, "The devices that follow it now"), ...faults },
    }),
    async (c) => c.json(await assignments.assign(c.req.valid("json"), c.get("actor").name), 200),
  );
}
