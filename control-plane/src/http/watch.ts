/** /v1/watches: models that are served elsewhere; /v1/watch/{model}: what they predicted, as it comes. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import { addWatch, watchAnswer, watchList } from "@vedette/protocol/watch-api";
import { readEvents } from "../monitoring/watch-only/events.ts";
import { body, faults, json, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

const params = z.object({ model: modelName });

export function watchRoutes(app: OpenAPIHono, { watches, publishedSpec, db }: HttpPorts): void {
  const security = operatorOnly;

  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/watches",
      summary: "Models that are served elsewhere: how much came of each, and whether its inputs drift",
      security,
      responses: { 200: json(watchList, "By model"), ...faults },
    }),
    async (c) => c.json({ watches: await watches.list() }, 200),
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/watches",
      summary: "Watch a model that is served elsewhere, by a published version or by reference data",
      security,
      request: { body: body(addWatch) },
      responses: { 200: json(watchList, "By model"), ...faults },
    }),
    async (c) => {
      const request = c.req.valid("json");
      const { model } = request;
      const actor = c.get("actor").name;
      if ("version" in request) {
        await watches.add({ model, ...(await publishedSpec(model, request.version)) }, actor);
      } else {
        if ((await db.versions.modelNames()).includes(model)) {
          const why = `${model} is a published model: watch it by its version, or under another name`;
          throw new VedetteError("conflict", why);
        }
        const reference = Buffer.from(request.reference, "base64");
        await watches.add({ model, digest: null, release: null, spec: request.spec, reference }, actor);
      }
      return c.json({ watches: await watches.list() }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "delete",
      path: "/v1/watches/{model}",
      summary: "Watch it no more; what came stays",
      security,
      request: { params },
      responses: { 200: json(watchList, "By model"), ...faults },
    }),
    async (c) => {
      await watches.remove(c.req.valid("param").model, c.get("actor").name);
      return c.json({ watches: await watches.list() }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/v1/watch/{model}",
      summary: "Predictions of a watched model: CloudEvents as KServe's logger sends them, or rows as lines of JSON",
      description:
        "CloudEvents 1.0 of the types org.kubeflow.serving.inference.request and .response, in binary or structured mode or in " +
        "batches, whose halves have one id; or application/x-ndjson. Each id is taken once. 200: what could be read is kept.",
      security,
      // No JSON among its types: the body is read as it came, whatever its type says.
      request: { params, body: { required: true, content: { "application/x-ndjson": { schema: z.string() } } } },
      responses: { 200: json(watchAnswer, "What is kept, what was known, and what did not fit"), ...faults },
    }),
    async (c) => {
      const events = readEvents((name) => c.req.header(name), await c.req.text());
      const answer = await watches.take(c.req.valid("param").model, events);
      const [first] = answer.refused;
      if (first && answer.accepted + answer.repeated === 0)
        throw new VedetteError("invalid_input", `nothing was taken: ${first.why}`);
      // 200 and no other: of the rest KServe's logger logs an error.
      return c.json(answer, 200);
    },
  );
}
