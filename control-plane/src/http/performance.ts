/** /v1/performance: how models do by their labels, and whether they do worse since a moment. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { VedetteError } from "@vedette/protocol/errors";
import { harm, harmQuery, performance, performanceQuery } from "@vedette/protocol/labels-api";
import { describePerformance } from "../monitoring/performance/describe-performance.ts";
import { faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function performanceRoutes(app: OpenAPIHono, ports: HttpPorts): void {
  const { db, harmOracle } = ports;
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/performance",
      summary: "Accuracy or error of a model by version, slice and time, with intervals that hold at every look",
      security: operatorOnly,
      request: { query: performanceQuery },
      responses: { 200: json(performance, "One row a version, slice and period"), ...faults },
    }),
    async (c) => c.json(await describePerformance(ports, c.req.valid("query")), 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/performance/harm",
      summary: "Whether a model does worse since a moment: harmful, benign or unknown, with the numbers",
      security: operatorOnly,
      request: { query: harmQuery },
      responses: { 200: json(harm, "The verdict, and what it rests on"), ...faults },
    }),
    async (c) => {
      const { label, ...question } = c.req.valid("query");
      const agents = label === undefined ? undefined : await devicesWith(label);
      return c.json(await harmOracle.harmOf({ ...question, agents }), 200);
    },
  );

  async function devicesWith(label: string): Promise<string[]> {
    const [key, value] = [label.slice(0, label.indexOf("=")), label.slice(label.indexOf("=") + 1)];
    const found = (await db.devices.list()).filter((device) => device.labels[key] === value);
    if (found.length > 0) return found.map(({ agent }) => agent);
    throw new VedetteError("not_found", `no device has the label ${label}: see vedette device list`);
  }
}
