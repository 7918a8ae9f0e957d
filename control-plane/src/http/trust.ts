/** /v1/trust: the state of the TUF repository, its files, and what operators signed offline. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { putMetadata, rotateOnlineKey, trustState } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { rotateKey } from "../release/rotate-online-key.ts";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

export function trustRoutes(app: OpenAPIHono, ports: HttpPorts): void {
  const { site, keys, trust, assignments } = ports;
  const state = () => ({
    site,
    online: {
      snapshot: keys.snapshot.publicKeyHex,
      timestamp: keys.timestamp.publicKeyHex,
      director: keys.director.publicKeyHex,
    },
    rootSha256: trust.rootSha256,
    versions: trust.versions(),
    next: Object.fromEntries(Object.entries(keys.next).map(([role, key]) => [role, key.publicKeyHex])),
  });

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/trust",
      summary: "Online keys, the pinned root, and the versions of the signed metadata",
      security: operatorOnly,
      responses: { 200: json(trustState, "The state of trust"), ...faults },
    }),
    (c) => c.json(state(), 200),
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/v1/trust/metadata",
      summary: "Put signed root, targets or project metadata, all or none",
      security: operatorOnly,
      request: { body: body(putMetadata) },
      responses: { 200: json(trustState, "The state after it"), ...faults },
    }),
    async (c) => {
      const { urgent } = await trust.put(c.req.valid("json").metadata, c.get("actor").name);
      // A raised floor or a dropped target takes back what was assigned.
      await (urgent ? assignments.announce() : assignments.reconcile());
      return c.json(state(), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/trust/online-keys",
      summary:
        "Make the next key of an online role; it counts once signed metadata name it, that of device tokens at once",
      security: operatorOnly,
      request: { body: body(rotateOnlineKey) },
      responses: { 200: json(trustState, "The state after it: `next` has the new public key"), ...faults },
    }),
    async (c) => {
      const { role } = c.req.valid("json");
      await rotateKey(role, ports, c.get("actor").name);
      return c.json(state(), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/trust/metadata/{file}",
      summary: "A metadata file as signed: 2.targets.json, or targets.json for the current one",
      security: operatorOnly,
      request: { params: z.object({ file: z.string() }) },
      responses: {
        200: { description: "The signed text, byte for byte", content: { "text/plain": { schema: z.string() } } },
        ...faults,
      },
    }),
    async (c) => {
      const { file } = c.req.valid("param");
      const text = await trust.metadata(file);
      if (text === undefined) throw new VedetteError("not_found", `there is no metadata file ${file}`);
      return c.text(text, 200);
    },
  );
}
