/** /v1/audit: who changed what, and the whole chain for those who check it. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { auditEntry, auditList } from "@vedette/protocol/api";
import type { ChainedEntry } from "../db/records.ts";
import { faults, json, limit, operatorOnly } from "./describe.ts";
import type { HttpPorts } from "./ports.ts";

const number = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const query = z.object({
  limit,
  /** Only entries with a smaller id, the newest first. */
  before: number.optional(),
  /** Only entries with a greater id, in the order of the chain. */
  after: number.optional(),
  actor: z.string().max(200).optional(),
  action: z.string().max(200).optional(),
  subject: z.string().max(1000).optional(),
});

export function auditRoutes(app: OpenAPIHono, { db }: HttpPorts): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/audit",
      summary: "Who changed what: the newest first, or with `after` in the order of the chain",
      security: operatorOnly,
      request: { query },
      responses: { 200: json(auditList, "Entries with their hashes"), ...faults },
    }),
    async (c) => {
      const { limit = 100, after, ...filter } = c.req.valid("query");
      const entries = after === undefined ? await db.audit.latest(limit, filter) : await db.audit.inOrder(after, limit);
      return c.json({ entries: entries.map(toAnswer) }, 200);
    },
  );
}

function toAnswer(entry: ChainedEntry): z.infer<typeof auditEntry> {
  return auditEntry.parse(entry);
}
