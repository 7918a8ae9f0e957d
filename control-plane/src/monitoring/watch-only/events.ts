/**
 * What comes by HTTP as events: CloudEvents 1.0 as KServe's logger sends them (binary and structured mode, batches), or rows
 * as lines of JSON. Pure; what a body means for a model is read by payloads.ts.
 */
import { VedetteError } from "@vedette/protocol/errors";
import { watchRow } from "@vedette/protocol/watch-api";
import { z } from "zod";

const requestType = "org.kubeflow.serving.inference.request";
const responseType = "org.kubeflow.serving.inference.response";

interface Half {
  readonly id: string;
  /** UTC ms. */
  readonly time: number | null;
  readonly data: unknown;
}
export type ReceivedEvent =
  /** One half of a prediction: both halves have the same id. */
  | ({ readonly kind: "request" } & Half)
  | ({ readonly kind: "response" } & Half)
  | { readonly kind: "row"; readonly id: string; readonly row: z.infer<typeof watchRow> };
export interface Unreadable {
  readonly kind: "refused";
  readonly id: string | null;
  readonly why: string;
}

/** Attributes as CloudEvents 1.0 names them; what else there is says nothing to us. */
const attributes = z.object({
  specversion: z.literal("1.0", "specversion is not 1.0"),
  id: z.string().min(1).max(256),
  type: z.string().max(256),
  time: z.iso.datetime({ offset: true }).optional(),
});
const structured = attributes.extend({ data: z.unknown(), data_base64: z.base64().optional() });

/** @param header by lower-case name. @throws VedetteError invalid_argument, unsupported where the whole body is of no use. */
export function readEvents(header: (name: string) => string | undefined, body: string): (ReceivedEvent | Unreadable)[] {
  const type = header("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "application/cloudevents-batch+json") {
    const all = json(body, "the batch");
    if (!Array.isArray(all)) throw new VedetteError("invalid_argument", "a batch of events is a JSON array");
    return all.map(fromStructured);
  }
  if (type === "application/cloudevents+json") return [fromStructured(json(body, "the event"))];
  if (["application/x-ndjson", "application/ndjson", "application/jsonl"].includes(type)) return rowsOf(body);
  if (header("ce-id") !== undefined || header("ce-type") !== undefined) {
    // Binary mode: attributes are headers, the data is the body as it is.
    const given = ["specversion", "id", "type", "time"].flatMap((name) => {
      const value = header(`ce-${name}`);
      return value === undefined ? [] : [[name, value] as const];
    });
    const parsed = attributes.safeParse(Object.fromEntries(given));
    if (!parsed.success) return [refused(header("ce-id") ?? null, parsed.error)];
    return [half(parsed.data, body, type)];
  }
  throw new VedetteError(
    "invalid_argument",
    `content type ${type || "(none)"} without CloudEvents headers: send application/cloudevents+json, ` +
      "application/cloudevents-batch+json, a binary-mode CloudEvent (ce-id, ce-type …), or application/x-ndjson",
  );
}

function fromStructured(event: unknown): ReceivedEvent | Unreadable {
  const parsed = structured.safeParse(event);
  if (!parsed.success) return refused(idOf(event), parsed.error);
  const { data, data_base64: base64, ...of } = parsed.data;
  if (base64 !== undefined) return half(of, Buffer.from(base64, "base64").toString("utf8"), "");
  return typeof data === "string" ? half(of, data, "") : whole(of, data);
}

function half(of: z.infer<typeof attributes>, body: string, type: string): ReceivedEvent | Unreadable {
  if (type === "application/octet-stream") {
    return { kind: "refused", id: of.id, why: "the body is binary: only JSON payloads are read" };
  }
  try {
    return whole(of, JSON.parse(body));
  } catch {
    return { kind: "refused", id: of.id, why: "the event's data are not JSON" };
  }
}

function whole(of: z.infer<typeof attributes>, data: unknown): ReceivedEvent | Unreadable {
  const time = of.time === undefined ? null : Date.parse(of.time);
  if (of.type === requestType) return { kind: "request", id: of.id, time, data };
  if (of.type === responseType) return { kind: "response", id: of.id, time, data };
  return { kind: "refused", id: of.id, why: `type ${of.type} is neither ${requestType} nor …response` };
}

function rowsOf(body: string): (ReceivedEvent | Unreadable)[] {
  return body.split("\n").flatMap((line, i): (ReceivedEvent | Unreadable)[] => {
    if (line.trim() === "") return [];
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return [{ kind: "refused", id: null, why: `line ${i + 1} is not JSON` }];
    }
    const parsed = watchRow.safeParse(value);
    if (!parsed.success) return [refused(idOf(value), parsed.error, `line ${i + 1}: `)];
    return [{ kind: "row", id: parsed.data.id, row: parsed.data }];
  });
}

function json(body: string, what: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new VedetteError("invalid_argument", `${what} is not JSON`, { cause });
  }
}

function idOf(value: unknown): string | null {
  const parsed = z.object({ id: z.string().max(256) }).safeParse(value);
  return parsed.success ? parsed.data.id : null;
}

function refused(id: string | null, error: z.ZodError, where = ""): Unreadable {
  const issue = error.issues[0];
  return { kind: "refused", id, why: `${where}${issue?.path.join(".") || "(whole)"}: ${issue?.message}` };
}
