/** /v1/operators: who may ask what; and /v1/whoami. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { addOperator, operatorList, operatorName, operatorToken, whoami } from "@vedette/protocol/api";
import type { OperatorRecord } from "../db/records.ts";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

const params = z.object({ name: operatorName });

export function operatorRoutes(app: OpenAPIHono, { operators }: HttpPorts): void {
  const roleOf = async (name: string) => (await operators.list()).find((one) => one.name === name)?.role ?? "viewer";

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/whoami",
      summary: "Whose token this is, and what it may",
      security: operatorOnly,
      responses: { 200: json(whoami, "The operator"), ...faults },
    }),
    (c) => c.json({ name: c.get("actor").name, role: c.get("actor").role }, 200),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/operators",
      summary: "All operators, those removed included",
      security: operatorOnly,
      responses: { 200: json(operatorList, "By name"), ...faults },
    }),
    async (c) => c.json({ operators: (await operators.list()).map(toAnswer) }, 200),
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/operators",
      summary: "Add an operator",
      security: operatorOnly,
      request: { body: body(addOperator) },
      responses: { 200: json(operatorToken, "The token, shown once"), ...faults },
    }),
    async (c) => {
      const { name, role } = c.req.valid("json");
      return c.json({ name, role, token: await operators.add(name, role, c.get("actor").name) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/operators/{name}/token",
      summary: "A new token for an operator; the old one holds no more",
      security: operatorOnly,
      request: { params },
      responses: { 200: json(operatorToken, "The token, shown once"), ...faults },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      const token = await operators.rotateToken(name, c.get("actor").name);
      return c.json({ name, role: await roleOf(name), token }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/whoami/token",
      summary: "A new token for whoever asks; the one asked with holds no more",
      security: operatorOnly,
      responses: { 200: json(operatorToken, "The token, shown once"), ...faults },
    }),
    async (c) => {
      const { name, role } = c.get("actor");
      return c.json({ name, role, token: await operators.rotateToken(name, name) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/v1/operators/{name}/token",
      summary: "Take an operator's token away",
      security: operatorOnly,
      request: { params },
      responses: { 204: { description: "It holds no more" }, ...faults },
    }),
    async (c) => {
      await operators.revokeToken(c.req.valid("param").name, c.get("actor").name);
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/v1/operators/{name}",
      summary: "Remove an operator; the name stays theirs in the audit",
      security: operatorOnly,
      request: { params },
      responses: { 204: { description: "Removed" }, ...faults },
    }),
    async (c) => {
      await operators.remove(c.req.valid("param").name, c.get("actor").name);
      return c.body(null, 204);
    },
  );
}

function toAnswer({ name, role, createdAt, createdBy, tokenChangedAt, tokenSha256, removedAt }: OperatorRecord) {
  const state: "active" | "no token" | "removed" =
    removedAt !== null ? "removed" : tokenSha256 === null ? "no token" : "active";
  const iso = (ms: number) => new Date(ms).toISOString();
  return { name, role, createdAt: iso(createdAt), createdBy, tokenChangedAt: iso(tokenChangedAt), state };
}
