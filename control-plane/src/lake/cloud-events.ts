/**
 * Predictions as CloudEvents 1.0, of the types that KServe's logger gives them, with Open Inference Protocol bodies. An
 * event's id is its prediction's, and source and id together name one event: receivers drop what they have by them.
 */
import type { RecordRow } from "../ports.ts";

const requestType = "org.kubeflow.serving.inference.request";
const responseType = "org.kubeflow.serving.inference.response";

export interface CloudEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: "application/json";
  /** KServe's extensions. */
  readonly inferenceservicename: string;
  readonly namespace: string;
  readonly component: "predictor";
  readonly data: Readonly<Record<string, unknown>>;
}

/** Names of columns as the model has them (`in:temperature`), by the lake's. */
export type Originals = ReadonlyMap<string, string>;

/**
 * The events of one row: what was asked, where inputs are known, and what was answered. An erased row tells only that it was.
 */
export function cloudEvents(row: RecordRow, site: string, originals: Originals): CloudEvent[] {
  const { id, agent, model, time } = row;
  const stem = `urn:vedette:${site}:${agent}:${model}`;
  const event = (kind: "request" | "response", type: string, data: CloudEvent["data"]): CloudEvent => ({
    specversion: "1.0",
    id: String(id),
    source: `${stem}:${kind}`,
    type,
    subject: String(model),
    time: String(time),
    datacontenttype: "application/json",
    inferenceservicename: String(model),
    namespace: site,
    component: "predictor",
    data,
  });
  const inputs = tensors(row, originals, "in:");
  const outputs = [
    ...(row.label === null || row.label === undefined ? [] : [tensor("label", row.label)]),
    ...(row.value === null || row.value === undefined ? [] : [tensor("value", row.value)]),
    ...tensors(row, originals, "out:score:"),
  ];
  const asked = given({ vedette_entity: row.entity, vedette_time: row.event_time, vedette_request: row.request });
  const said = given({
    vedette_source: row.source,
    vedette_reason: row.reason,
    vedette_confidence: row.confidence,
    vedette_cached: row.cached,
    vedette_latency_ms: row.latency_ms,
    vedette_erased: row.erased === true ? true : null,
  });
  const answer = {
    model_name: model,
    ...given({ model_version: row.version === null ? null : String(row.version) }),
    id,
  };
  return [
    ...(inputs.length > 0 ? [event("request", requestType, { id, parameters: asked, inputs })] : []),
    event("response", responseType, { ...answer, parameters: said, outputs }),
  ];
}

function tensors(row: RecordRow, originals: Originals, prefix: string) {
  return [...originals].flatMap(([column, original]) => {
    const value = row[column];
    return original.startsWith(prefix) && value !== null && value !== undefined
      ? [tensor(original.slice(prefix.length), value)]
      : [];
  });
}

function tensor(name: string, value: string | number | boolean) {
  return { name, shape: [1], datatype: typeof value === "string" ? "BYTES" : "FP64", data: [value] };
}

function given(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
}
