/** /v1/predictions: the logs that devices sent, out of the lake. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { flushAnswer, predictionQuery, predictionRows } from "@vedette/protocol/api";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function predictionRoutes(app: OpenAPIHono, { lake }: HttpPorts): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/predictions/query",
      summary: "Predictions by filters, or one SELECT over the view `predictions`",
      security: operatorOnly,
      request: { body: body(predictionQuery) },
      responses: { 200: json(predictionRows, "Columns and rows"), ...faults },
    }),
    async (c) => c.json(await lake.query(c.req.valid("json")), 200),
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/predictions/flush",
      summary: "Answers when all that is acknowledged has reached the lake's files",
      security: operatorOnly,
      responses: { 200: json(flushAnswer, "How many batches were moved"), ...faults },
    }),
    async (c) => c.json({ batches: await lake.flush() }, 200),
  );
}
