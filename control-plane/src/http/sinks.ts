/** /v1/sinks: who gets predictions as they come. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { VedetteError } from "@vedette/protocol/errors";
import { addSink, sinkList, sinkName } from "@vedette/protocol/records-api";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function sinkRoutes(app: OpenAPIHono, { records, db, clock, sinkTokens }: HttpPorts): void {
  const security = operatorOnly;
  const audit = (actor: string, action: string, subject: string, detail: Record<string, unknown>) =>
    db.audit.append({ at: clock.now(), actor, action, subject, detail });

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/sinks",
      summary: "Receivers of predictions, how many each has, and why one has none",
      security,
      responses: { 200: json(sinkList, "By name"), ...faults },
    }),
    async (c) => c.json({ sinks: await records.sinks() }, 200),
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/sinks",
      summary: "Send predictions to an HTTP receiver as CloudEvents in batches, at least once",
      security,
      request: { body: body(addSink) },
      responses: { 200: json(sinkList, "By name"), ...faults },
    }),
    async (c) => {
      const { name, url, model = null, fromStart, bearer } = c.req.valid("json");
      const { hostname, username, password } = new URL(url);
      if (username !== "" || password !== "") {
        const why = "a sink's URL may not hold a user and a password: it is shown and logged. Give a token as bearer";
        throw new VedetteError("invalid_argument", why);
      }
      if ((await records.sinks()).some((one) => one.name === name))
        throw new VedetteError("conflict", `there is a sink ${name} already: remove it first, or choose another name`);
      const file = join(sinkTokens, name);
      await rm(file, { force: true });
      if (bearer !== undefined) await writeFile(file, bearer, { mode: 0o600, flush: true });
      await records.addSink({ name, url, model, fromStart });
      await audit(c.get("actor").name, "sink.add", name, { hostname, model, fromStart });
      return c.json({ sinks: await records.sinks() }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "delete",
      path: "/v1/sinks/{name}",
      summary: "Send no more",
      security,
      request: { params: z.object({ name: sinkName }) },
      responses: { 200: json(sinkList, "By name"), ...faults },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      if (!(await records.removeSink(name)))
        throw new VedetteError("not_found", `there is no sink ${name}: see vedette sink list`);
      await rm(join(sinkTokens, name), { force: true });
      await audit(c.get("actor").name, "sink.remove", name, {});
      return c.json({ sinks: await records.sinks() }, 200);
    },
  );
}
