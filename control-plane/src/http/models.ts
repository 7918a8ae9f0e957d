/** /v1/models: what is registered, and publishing. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type ModelVersion, modelList, modelVersion, publishVersion } from "@vedette/protocol/api";
import { parseManifest } from "@vedette/protocol/bundle";
import { modelName } from "@vedette/protocol/ids";
import type { VersionRecord } from "../db/records.ts";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function modelRoutes(app: OpenAPIHono, ports: HttpPorts): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/models",
      summary: "All models and their versions",
      security: operatorOnly,
      responses: { 200: json(modelList, "By name and version"), ...faults },
    }),
    async (c) => {
      const versions = (await ports.db.versions.list()).map(toAnswer);
      const models = (await ports.db.versions.modelNames()).map((name) => ({
        name,
        versions: versions.filter((version) => version.model === name),
      }));
      return c.json({ models }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/models/{model}/versions",
      summary: "Publish a version; the same manifest again answers the version there is",
      security: operatorOnly,
      request: { params: z.object({ model: modelName }), body: body(publishVersion) },
      responses: { 200: json(modelVersion, "The version"), ...faults },
    }),
    async (c) => {
      const { manifest, metadata } = c.req.valid("json");
      const { model } = c.req.valid("param");
      const version = await ports.publishVersion({ model, manifest, metadata, actor: "operator" });
      return c.json(toAnswer(version), 200);
    },
  );
}

function toAnswer(version: VersionRecord): ModelVersion {
  const { model, digest, bytes, task, publishedBy } = version;
  const createdAt = new Date(version.createdAt).toISOString();
  const { lineage } = parseManifest(version.manifest);
  return { model, version: version.version, digest, createdAt, publishedBy, bytes, task, lineage };
}
