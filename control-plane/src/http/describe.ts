/** How routes describe themselves for the OpenAPI document. */
import { z } from "@hono/zod-openapi";
import { apiError, auditEntry, modelVersion } from "@vedette/protocol/api";
import { production } from "@vedette/protocol/production-api";
import { replayed } from "@vedette/protocol/rollouts-api";
import { z as zod } from "zod";

// The generator cannot follow JSON's own recursive schema: what it should write instead.
const versionInProduction = production.shape.models.element.shape.versions.element;
const inDecision = replayed.shape.decisions.element.shape.detail;
const open = [modelVersion.shape.lineage, versionInProduction.shape.lineage, auditEntry.shape.detail, inDecision];
for (const schema of open) {
  zod.globalRegistry.add(schema, { type: "object", additionalProperties: true });
}

/** For operators: `Authorization: Bearer <token>`. */
export const operatorOnly: Record<string, string[]>[] = [{ operator: [] }];

/** The number in a path of what is counted from 1: rollouts and experiments, releases, alerts. */
export const ofId = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });

/** In a query: how many of a list; each says how many where it is not said. */
export const limit = z.coerce.number().int().min(1).max(1000).optional();

/** Of a list of what belongs to models. */
export const ofModelList = z.object({ model: z.string().max(63).optional(), limit });

/** A JSON answer. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** A JSON body that has to be there. */
export function body<T extends z.ZodType>(schema: T) {
  // Required: an optional body of another content type would reach the handler unchecked.
  return { required: true, content: { "application/json": { schema } } };
}

/** A body of many such objects, which `readLines` reads. */
export function lines<T extends z.ZodType>(schema: T) {
  return {
    required: true,
    content: {
      "application/json": { schema },
      "application/x-ndjson": { schema: z.string().describe("One such object a line") },
    },
  };
}

/** Bytes as they are, of a body or an answer. */
export const octets = { "application/octet-stream": { schema: { type: "string", format: "binary" } } } as const;

export const faults = { default: json(apiError, "What is wrong, where, and what to do") };
