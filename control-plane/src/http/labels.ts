/** /v1/labels: what came of predictions. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { labelLine, labelLines, labelStatus, labelsAnswer } from "@vedette/protocol/labels-api";
import { faults, json, lines, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";
import { readLines } from "./read-lines.ts";

const security = operatorOnly;

export function labelRoutes(app: OpenAPIHono, { labels, labelIntake }: HttpPorts): void {
  // Registered apart from the handler, which reads both kinds of body itself and names the lines that do not fit.
  app.openAPIRegistry.registerPath({
    method: "post",
    path: "/v1/labels",
    summary: "Tell what came of predictions, in any order and as often as you like; another label corrects the former",
    security,
    request: { body: lines(labelLines) },
    responses: { 200: json(labelsAnswer, "How many were new, known, corrected"), ...faults },
  });
  app.post("/v1/labels", async (c) =>
    c.json(await labelIntake.add(await readLines(c, labelLine), c.get("actor").name), 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/labels",
      summary: "How labels stand to predictions, by model: joined, waiting for theirs, corrected, erased",
      security,
      responses: { 200: json(labelStatus, "Models that have labels"), ...faults },
    }),
    async (c) => c.json(await labels.status(), 200),
  );
}
