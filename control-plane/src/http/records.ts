/** /v1/predictions: counts, retention, erasure and export; /v1/backup: all of it in one file. */
import { Readable } from "node:stream";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { VedetteError } from "@vedette/protocol/errors";
import {
  backupRequest,
  eraseRequest,
  erasure,
  erasureList,
  exportRequest,
  predictionCounts,
  retentionPolicies,
  setRetention,
  verified,
  verifyRequest,
} from "@vedette/protocol/records-api";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";
import { webStream } from "./web-stream.ts";

const bytes = (description: string) => ({
  description,
  content: { "application/octet-stream": { schema: z.string() } },
});

export function recordRoutes(app: OpenAPIHono, ports: HttpPorts): void {
  const { records, erasures, inSpools, clock, db, site, backup } = ports;
  const security = operatorOnly;
  const requireModel = async (model: string | undefined) => {
    if (model !== undefined && !(await db.versions.modelNames()).includes(model))
      throw new VedetteError("not_found", `there is no model ${model}: see vedette model list`);
  };

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/predictions/counts",
      summary: "Every prediction that was numbered: answered by what, missing and why, awaited, erased, removed",
      security,
      responses: { 200: json(predictionCounts, "By model"), ...faults },
    }),
    async (c) => {
      const models = await records.counts();
      return c.json({ at: new Date(clock.now()).toISOString(), models, inSpools: inSpools() }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/predictions/retention",
      summary: "After how many days rows go, by model; others are kept",
      security,
      responses: { 200: json(retentionPolicies, "By model"), ...faults },
    }),
    async (c) => c.json({ policies: await records.policies() }, 200),
  );
  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/predictions/retention",
      summary: "Set after how many days a model's rows go (null: never); what is past them goes at once",
      security,
      request: { body: body(setRetention) },
      responses: { 200: json(retentionPolicies, "By model"), ...faults },
    }),
    async (c) => {
      const { model, days } = c.req.valid("json");
      await requireModel(model);
      const at = clock.now();
      await db.audit.append({
        at,
        actor: c.get("actor").name,
        action: "prediction.retention",
        subject: model,
        detail: { days },
      });
      await records.setPolicy(model, days);
      return c.json({ policies: await records.policies() }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/predictions/erasures",
      summary: "Forget an entity: in the lake at once, in what comes later, and on the devices",
      security,
      request: { body: body(eraseRequest) },
      responses: { 200: json(erasure, "What was erased, and which devices have yet to"), ...faults },
    }),
    async (c) => {
      const request = c.req.valid("json");
      await requireModel(request.model);
      return c.json(await erasures.erase(request, c.get("actor").name), 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/predictions/erasures",
      summary: "Erasures, the newest first: how many rows, and which devices have done it",
      security,
      responses: { 200: json(erasureList, "The newest first"), ...faults },
    }),
    async (c) => c.json({ erasures: await records.erasures() }, 200),
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/predictions/export",
      summary: "Predictions as CloudEvents or rows, one JSON a line, or as one Parquet file",
      security,
      request: { body: body(exportRequest) },
      responses: { 200: bytes("The rows"), ...faults },
    }),
    async (c) => {
      const request = c.req.valid("json");
      await requireModel(request.model);
      const made = await records.export(request, site);
      return c.body(webStream(Readable.from(made.bytes)), 200, { "Content-Type": made.type }) as never;
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/predictions/verify",
      summary: "Whether a device signed that it answered this, as the lake has it",
      security,
      request: { body: body(verifyRequest) },
      responses: { 200: json(verified, "Proven, or what is wrong"), ...faults },
    }),
    async (c) => {
      const enrolled = async (agent: string) => (await db.devices.find(agent))?.publicKey;
      return c.json(await records.verify(c.req.valid("json"), enrolled), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/backup",
      summary: "All that this control plane holds, as a tar, while it goes on",
      security,
      request: { body: body(backupRequest) },
      responses: { 200: bytes("A tar whose first entry names and hashes the others"), ...faults },
    }),
    async (c) => {
      const { passphrase } = c.req.valid("json");
      const made = await backup(passphrase ?? undefined);
      const detail = { files: made.manifest.files.length, keys: passphrase !== null };
      await db.audit.append({
        at: clock.now(),
        actor: c.get("actor").name,
        action: "backup.create",
        subject: site,
        detail,
      });
      return c.body(webStream(made.stream), 200, { "Content-Type": "application/x-tar" }) as never;
    },
  );
}
