/** /v1/experiments: two versions held against each other by a business metric. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { experiment, experimentList, startExperiment, stopExperiment } from "@vedette/protocol/experiments-api";
import { describeExperiment, describeFacts } from "../release/experiments/describe-experiment.ts";
import { body, faults, json, ofId, ofModelList, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function experimentRoutes(app: OpenAPIHono, { rollouts, db }: HttpPorts): void {
  const security = operatorOnly;
  const answer = { 200: json(experiment, "The experiment, with its result so far and its devices"), ...faults };
  const inDetail = async (number: number) => {
    const found = await rollouts.look(number, "experiment");
    return describeExperiment(found.rollout, found.world);
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/experiments",
      summary: "Split devices, or requests by entity, between two versions, and compare a business metric",
      security,
      request: { body: body(startExperiment) },
      responses: answer,
    }),
    async (c) => c.json(await inDetail(await rollouts.startExperiment(c.req.valid("json"), c.get("actor").name)), 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/experiments",
      summary: "Experiments, the newest first",
      security,
      request: { query: ofModelList },
      responses: { 200: json(experimentList, "Experiments, without their devices"), ...faults },
    }),
    async (c) => {
      const { limit = 50, model } = c.req.valid("query");
      const found = await db.rollouts.list(limit, { model, experiments: true });
      return c.json({ experiments: found.map(describeFacts) }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/experiments/{id}",
      summary: "One experiment: result so far, sample-ratio check, devices",
      security,
      request: { params: ofId },
      responses: answer,
    }),
    async (c) => c.json(await inDetail(c.req.valid("param").id), 200),
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/experiments/{id}/stop",
      summary: "End it, and keep the incumbent or the candidate",
      security,
      request: { params: ofId, body: body(stopExperiment) },
      responses: answer,
    }),
    async (c) => {
      const { id: number } = c.req.valid("param");
      const { keep, reason = null } = c.req.valid("json");
      await rollouts.stopExperiment(number, keep, reason, c.get("actor").name);
      return c.json(await inDetail(number), 200);
    },
  );
}
