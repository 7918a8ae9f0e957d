/** The paths of the Open Inference Protocol: which request is meant, and the answers to all but infer (infer.ts). */
import { VedetteError } from "@vedette/protocol/errors";
import { servedOutputs } from "@vedette/protocol/served-outputs";
import type { Agent, ModelMeasures, ServedModel } from "../../core/agent.ts";
import { HttpRefusal, type OipFailure } from "./errors.ts";
import type { Desks, InferAnswer } from "./infer.ts";
import { statisticsOf } from "./statistics.ts";

export type OipAnswer =
  | { readonly kind: "json"; readonly status: number; readonly body: unknown }
  | { readonly kind: "text"; readonly type: string; readonly text: string }
  | InferAnswer
  | ({ readonly kind: "failure" } & OipFailure);

interface OfModel {
  readonly model: string;
  readonly version: string | undefined;
}
/** What a path means. */
export type Route =
  | { readonly kind: "server" | "models" | "index" | "allStats" | "metrics" }
  | { readonly kind: "health"; readonly asked: "live" | "ready" }
  | ({ readonly kind: "infer" | "metadata" | "ready" | "stats" | "config" } & OfModel);

export interface RouteParts {
  readonly agent: Pick<Agent, "models">;
  readonly desks: Desks;
  /** The agent's version, told at /v2. */
  readonly version: string;
  readonly stopping: () => boolean;
  readonly measures: () => readonly ModelMeasures[];
  readonly metrics: () => string;
}

/** @param path without query. @throws VedetteError not_found. */
export function routeOf(path: string): Route {
  if (path === "/metrics") return { kind: "metrics" };
  const [root, first, ...rest] = path.split("/").slice(1);
  if (root !== "v2") throw noPath(path);
  const [second, ...more] = rest;
  if (first === undefined || first === "") return { kind: "server" };
  if (first === "health" && (second === "live" || second === "ready") && more.length === 0) {
    return { kind: "health", asked: second };
  }
  if (first === "repository" && second === "index" && more.length === 0) return { kind: "index" };
  if (first !== "models") throw noPath(path);
  if (second === undefined) return { kind: "models" };
  if (second === "stats" && more.length === 0) return { kind: "allStats" };
  const versioned = more[0] === "versions";
  const [version, verb, ...beyond] = versioned ? more.slice(1) : [undefined, ...more];
  if (beyond.length > 0 || (versioned && !version)) throw noPath(path);
  const of = { model: decode(second), version };
  if (verb === undefined) return { kind: "metadata", ...of };
  if (verb === "infer" || verb === "ready" || verb === "stats" || verb === "config") return { kind: verb, ...of };
  throw noPath(path);
}

/** The one method that a route is asked with; HEAD is as good as GET. */
function methodOf(route: Route): "GET" | "POST" {
  return route.kind === "infer" || route.kind === "index" ? "POST" : "GET";
}

/** @throws HttpRefusal 405, with the methods that are taken. */
export function needMethod(route: Route, method: string, path: string): void {
  const needed = methodOf(route);
  if (method === needed || (method === "HEAD" && needed === "GET")) return;
  throw new HttpRefusal(405, "invalid_argument", `${path.slice(0, 200)} is asked with ${needed}, not ${method}`, {
    allow: needed === "GET" ? "GET, HEAD" : needed,
  });
}

/** @throws VedetteError not_found, not_ready. */
export function answer(route: Exclude<Route, { kind: "infer" }>, parts: RouteParts): OipAnswer {
  const { agent, desks } = parts;
  switch (route.kind) {
    case "server":
      return json(200, {
        name: "vedette",
        version: parts.version,
        extensions: ["binary_tensor_data", "model_repository", "statistics", "model_configuration"],
      });
    case "health":
      return health(route.asked, !parts.stopping());
    case "models":
      return json(200, { models: agent.models().map(({ name }) => name) });
    case "index":
      return json(200, repositoryIndex(agent));
    case "allStats":
      return json(200, statisticsOf(agent.models(), desks, parts.measures()));
    case "metrics":
      return { kind: "text", type: "text/plain; version=0.0.4; charset=utf-8", text: parts.metrics() };
  }
  const { served } = desks.find(route.model, route.version);
  if (route.kind === "metadata") return json(200, modelMetadata(served));
  if (route.kind === "config") return json(200, modelConfig(served));
  if (route.kind === "stats") return json(200, statisticsOf([served], desks, parts.measures()));
  const ready = served.version !== null;
  return json(ready ? 200 : 503, { name: served.name, ready });
}

/** The specification says `live`, KServe `ready`: both keys, so that either client understands. */
function health(asked: "live" | "ready", ready: boolean): OipAnswer {
  return json(asked === "live" || ready ? 200 : 503, { live: true, ready });
}

function repositoryIndex(agent: Pick<Agent, "models">) {
  return agent.models().map(({ name, version }) => ({
    name,
    ...(version && { version: String(version.release) }),
    state: version ? "READY" : "UNAVAILABLE",
    reason: version ? "" : "no version serves",
  }));
}

/** Also of a version that was withdrawn: its fallback answers, for the same tensors. */
function modelMetadata({ name, version, manifest }: ServedModel) {
  if (!manifest) throw notServing(name);
  const { input, output } = manifest;
  return {
    name,
    versions: version ? [String(version.release)] : [],
    platform: "onnx_onnxv1",
    inputs: input.tensors,
    outputs: servedOutputs(output),
  };
}

/** As Triton's model configuration: rows together, and what its clients look for. */
function modelConfig({ name, manifest }: ServedModel) {
  if (!manifest) throw notServing(name);
  const tensors = (specs: readonly { name: string; datatype: string; shape: readonly number[] }[]) =>
    specs.map((spec) => ({ name: spec.name, data_type: configType(spec.datatype), dims: spec.shape.slice(1) }));
  return {
    name,
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    max_batch_size: 32,
    input: tensors(manifest.input.tensors),
    output: tensors(servedOutputs(manifest.output)),
    dynamic_batching: {},
    parameters: { vedette_latency_budget_ms: { string_value: String(manifest.limits.latencyMs) } },
  };
}

const configType = (datatype: string): string => `TYPE_${datatype === "BYTES" ? "STRING" : datatype}`;

function notServing(name: string): VedetteError {
  return new VedetteError("not_ready", `${name} is assigned here, but no version serves yet`);
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // no encoded text: then it is no model's name either, and is said to be unknown
  }
}

function noPath(path: string): VedetteError {
  return new VedetteError(
    "not_found",
    `nothing is at ${path.slice(0, 200)}: the Open Inference Protocol begins at /v2`,
  );
}

function json(status: number, body: unknown): OipAnswer {
  return { kind: "json", status, body };
}
