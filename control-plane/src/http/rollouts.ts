/** /v1/rollouts: releases in stages. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { rolloutStates } from "@vedette/protocol/rollout";
import {
  actOnRollout,
  replayed,
  replayRollout,
  rollout,
  rolloutActs,
  rolloutList,
  startRollout,
} from "@vedette/protocol/rollouts-api";
import { describeFacts, describeRollout } from "../release/rollouts/describe-rollout.ts";
import { body, faults, json, ofId, ofModelList, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

const { model, limit } = ofModelList.shape;
const query = z.object({ model, state: z.enum(rolloutStates).optional(), limit });

export function rolloutRoutes(app: OpenAPIHono, { rollouts, db }: HttpPorts): void {
  const security = operatorOnly;
  const answer = { 200: json(rollout, "The rollout, with its devices"), ...faults };
  const inDetail = async (number: number) => describeRollout(await rollouts.look(number));

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/rollouts",
      summary: "Release a version in stages, judged by its evidence",
      security,
      request: { body: body(startRollout) },
      responses: answer,
    }),
    async (c) => c.json(await inDetail(await rollouts.start(c.req.valid("json"), c.get("actor").name)), 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/rollouts",
      summary: "Rollouts, the newest first",
      security,
      request: { query },
      responses: { 200: json(rolloutList, "Rollouts, without their devices"), ...faults },
    }),
    async (c) => {
      const { limit = 50, ...filter } = c.req.valid("query");
      const found = await db.rollouts.list(limit, { ...filter, experiments: false });
      return c.json({ rollouts: found.map(describeFacts) }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/rollouts/{id}",
      summary: "One rollout: stages, devices, evidence",
      security,
      request: { params: ofId },
      responses: answer,
    }),
    async (c) => c.json(await inDetail(c.req.valid("param").id), 200),
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/rollouts/{id}/replay",
      summary: "What another policy would have done with what happened",
      security,
      request: { params: ofId, body: body(replayRollout) },
      responses: { 200: json(replayed, "Its decisions, and when"), ...faults },
    }),
    async (c) => c.json(await rollouts.replay(c.req.valid("param").id, c.req.valid("json").policy), 200),
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/rollouts/{id}/{act}",
      summary: "Pause, resume, abort, approve the next stage, or retry the devices that failed or timed out",
      security,
      request: { params: ofId.extend({ act: z.enum(rolloutActs) }), body: body(actOnRollout) },
      responses: answer,
    }),
    async (c) => {
      const { id: number, act } = c.req.valid("param");
      const { reason = null, stage } = c.req.valid("json");
      await rollouts.act(number, act, { reason, stage }, c.get("actor").name);
      return c.json(await inDetail(number), 200);
    },
  );
}
