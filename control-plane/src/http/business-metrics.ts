/** /v1/metrics: what the business counts. Not to be taken for /metrics, which is Prometheus's (prometheus.ts). */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { modelName } from "@vedette/protocol/ids";
import { metricLine, metricLines, metricList, metricsAnswer } from "@vedette/protocol/labels-api";
import { meanInterval } from "../statistics/mean-sequence.ts";
import { faults, json, lines, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";
import { readLines } from "./read-lines.ts";

const security = operatorOnly;

export function businessMetricRoutes(app: OpenAPIHono, { labels, labelIntake }: HttpPorts): void {
  // Registered apart from the handler, as labels are.
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
