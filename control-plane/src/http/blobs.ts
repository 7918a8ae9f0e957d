/** /v1/blobs: the chunks of bundles, by their sha256. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { blobQuery, blobsMissing } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { sha256Hex } from "@vedette/protocol/ids";
import { body, faults, json, octets, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function blobRoutes(app: OpenAPIHono, { blobs }: HttpPorts): void {
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/blobs/missing",
      summary: "Which of these the store lacks",
      security: operatorOnly,
      request: { body: body(blobQuery) },
      responses: { 200: json(blobsMissing, "Those to send"), ...faults },
    }),
    async (c) => {
      const missing: string[] = [];
      for (const sha256 of new Set(c.req.valid("json").sha256)) if (!(await blobs.has(sha256))) missing.push(sha256);
      return c.json({ missing }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/blobs/{sha256}",
      summary: "One chunk, as it was sent",
      security: operatorOnly,
      request: { params: z.object({ sha256: sha256Hex }) },
      responses: {
        200: { description: "The bytes", content: octets },
        ...faults,
      },
    }),
    async (c) => {
      const { sha256 } = c.req.valid("param");
      const bytes = await blobs.get(sha256);
      if (!bytes) throw new VedetteError("not_found", `there is no blob ${sha256}`);
      return c.body(bytes, 200, { "content-type": "application/octet-stream" });
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/blobs/{sha256}",
      summary: "Send one chunk of at most 110 KiB",
      security: operatorOnly,
      request: {
        params: z.object({ sha256: sha256Hex }),
        body: { required: true, content: octets },
      },
      responses: { 204: { description: "Stored" }, ...faults },
    }),
    async (c) => {
      await blobs.put(c.req.valid("param").sha256, new Uint8Array(await c.req.arrayBuffer()));
      return c.body(null, 204);
    },
  );
}
