/** /v1/labels and /v1/metrics: what came of predictions. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { modelName } from "@vedette/protocol/ids";
import {
  labelLine,
  labelLines,
  labelStatus,
  labelsAnswer,
  metricLine,
  metricLines,
  metricList,
  metricsAnswer,
} from "@vedette/protocol/labels-api";
import { meanInterval } from "../monitoring/performance/mean-sequence.ts";
import { faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";
import { readLines } from "./read-lines.ts";

const security = operatorOnly;
const lines = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: {
    "application/json": { schema },
    "application/x-ndjson": { schema: z.string().describe("One such object a line") },
  },
});

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

  app.openAPIRegistry.registerPath({
    method: "post",
    path: "/v1/metrics",
    summary: "Tell what the business counts, beside the model's own performance",
    security,
    request: { body: lines(metricLines) },
    responses: { 200: json(metricsAnswer, "How many were new, and known"), ...faults },
  });
  app.post("/v1/metrics", async (c) =>
    c.json(await labelIntake.addMetrics(await readLines(c, metricLine), c.get("actor").name), 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/metrics",
      summary: "Means of business metrics by version, with intervals",
      security,
      request: {
        query: z.object({
          model: modelName.optional(),
          alpha: z.coerce.number().gt(0).max(0.5).default(0.05),
        }),
      },
      responses: { 200: json(metricList, "By model, name and version"), ...faults },
    }),
    async (c) => {
      const { model, alpha } = c.req.valid("query");
      const metrics = (await labels.metrics(model)).map(({ mean, first, last, ...group }) => ({
        ...group,
        n: mean.n,
        mean: mean.mean,
        interval: meanInterval(mean, alpha),
        first: new Date(first).toISOString(),
        last: new Date(last).toISOString(),
      }));
      return c.json({ alpha, metrics }, 200);
    },
  );
}
