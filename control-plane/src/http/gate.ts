/** /v1/models/{model}/versions/{version}/gate: whether a version may be released, and why not. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { gateState, overrideGate, withdrawOverride } from "@vedette/protocol/gate-api";
import { modelName, sha256Hex } from "@vedette/protocol/ids";
import { keepRows } from "../release/gate/keep-rows.ts";
import { body, faults, json, octets, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

const params = z.object({ model: modelName, version: z.coerce.number().int().min(1).max(999_999_999) });

export function gateRoutes(app: OpenAPIHono, { gates, db }: HttpPorts): void {
  const path = "/v1/models/{model}/versions/{version}/gate";
  const security = operatorOnly;
  const responses = { 200: json(gateState, "What the gate says of it, and on what that rests"), ...faults };

  app.openapi(
    createRoute({
      method: "get",
      path,
      summary: "What the gate says of a version",
      security,
      request: { params },
      responses,
    }),
    async (c) => {
      const { model, version } = c.req.valid("param");
      return c.json(await gates.show(model, version), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path,
      summary: "Check a version anew; it takes seconds",
      security,
      request: { params },
      responses,
    }),
    async (c) => {
      const { model, version } = c.req.valid("param");
      return c.json(await gates.run(model, version, c.get("actor").name), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path: `${path}/override`,
      summary: "Let a version that failed be released until a moment",
      security,
      request: { params, body: body(overrideGate) },
      responses,
    }),
    async (c) => {
      const { model, version } = c.req.valid("param");
      return c.json(await gates.override(model, version, c.req.valid("json"), c.get("actor").name), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path: `${path}/override/withdrawal`,
      summary: "End an override before its time",
      security,
      request: { params, body: body(withdrawOverride) },
      responses,
    }),
    async (c) => {
      const { model, version } = c.req.valid("param");
      return c.json(await gates.withdraw(model, version, c.req.valid("json").reason, c.get("actor").name), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/evaluations/{sha256}",
      summary: "Labelled rows that a version is to be judged by; nobody can read them back",
      security,
      request: {
        params: z.object({ sha256: sha256Hex }),
        body: { required: true, content: octets },
      },
      responses: { 204: { description: "Stored" }, ...faults },
    }),
    async (c) => {
      await keepRows(db.gates, c.req.valid("param").sha256, new Uint8Array(await c.req.arrayBuffer()));
      return c.body(null, 204);
    },
  );
}
