/** /v1/models: what is registered, and publishing. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type ModelVersion, modelList, modelSignature, modelVersion, publishVersion } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import type { VersionRecord } from "../db/records.ts";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function modelRoutes(app: OpenAPIHono, ports: HttpPorts): void {
  const toAnswer = (record: VersionRecord): ModelVersion => ({
    ...describe(record),
    revoked: ports.trust.assignable(record.model, record.digest) === "revoked",
  });

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
      const { manifest, metadata, modelSignature } = c.req.valid("json");
      const { model } = c.req.valid("param");
      const version = await ports.publishVersion({
        model,
        manifest,
        metadata,
        actor: c.get("actor").name,
        modelSignature: modelSignature ?? null,
      });
      return c.json(toAnswer(version), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/models/{model}/versions/{version}/signature",
      summary: "A version's manifest and its OpenSSF Model Signing bundle",
      security: operatorOnly,
      request: { params: z.object({ model: modelName, version: z.string().regex(/^[1-9][0-9]{0,8}$/) }) },
      responses: { 200: json(modelSignature, "What `model_signing verify key` needs, but for the files"), ...faults },
    }),
    async (c) => {
      const { model, version: number } = c.req.valid("param");
      const version = (await ports.db.versions.list(model)).find((one) => one.version === Number(number));
      const manifest = version && (await ports.db.versions.manifest(version.digest));
      if (!version || manifest === undefined) {
        throw new VedetteError("not_found", `there is no ${model} version ${number}: see vedette model list`);
      }
      if (!version.modelSignature) {
        throw new VedetteError(
          "not_found",
          `${model} version ${number} was published without a model signature: publish it anew`,
        );
      }
      return c.json({ model, version: version.version, manifest, ...version.modelSignature }, 200);
    },
  );
}

function describe(record: VersionRecord): Omit<ModelVersion, "revoked"> {
  const { model, version, digest, bytes, task, publishedBy, lineage } = record;
  return {
    model,
    version,
    digest,
    createdAt: new Date(record.createdAt).toISOString(),
    publishedBy,
    bytes,
    task,
    lineage,
  };
}
