/** The paths of the Open Inference Protocol over an Agent: parse, call, answer. server.ts brings bytes and sockets. */

import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { Agent, Prediction, ServedModel } from "../../core/agent.ts";
import type { OipFailure } from "./errors.ts";
import { type InferRequest, parseInferRequest, shown } from "./request.ts";
import { readInputs } from "./tensors-in.ts";
import { type InferBody, servedOutputs, writeBody, writeParameters, writeTensors } from "./tensors-out.ts";

export interface OipRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** Of `Inference-Header-Content-Length`. */
  readonly headerLength: string | undefined;
  readonly body: Uint8Array;
}
export type OipAnswer =
  | { readonly kind: "json"; readonly status: number; readonly body: unknown }
  | { readonly kind: "infer"; readonly body: InferBody }
  | ({ readonly kind: "failure" } & OipFailure);

export interface ServerFacts {
  readonly version: string;
  readonly stopping: () => boolean;
}

/** @throws VedetteError for what failureOf maps: invalid_input, not_found, not_ready, unsupported, model_failed. */
export function answer(agent: Agent, facts: ServerFacts, request: OipRequest): OipAnswer | Promise<OipAnswer> {
  const parts = request.path.split("/").slice(1);
  if (parts[0] !== "v2") throw noPath(request.path);
  const [, first, model, ...rest] = parts;
  if (first === undefined || first === "") return get(request, () => json(200, serverMetadata(facts)));
  if (first === "health" && (model === "live" || model === "ready") && rest.length === 0) {
    return get(request, () => health(facts, model));
  }
  if (first === "models" && model === undefined) {
    return get(request, () => json(200, { models: agent.models().map(({ name }) => name) }));
  }
  if (first === "repository" && model === "index" && rest.length === 0) {
    needMethod(request, "POST");
    return json(200, repositoryIndex(agent));
  }
  if (first !== "models" || model === undefined) throw noPath(request.path);
  const [version, verb, ...more] = rest[0] === "versions" ? rest.slice(1) : [undefined, ...rest];
  if (more.length > 0 || (rest[0] === "versions" && !version)) throw noPath(request.path);
  const served = find(agent, decode(model), version);
  if (verb === undefined) return get(request, () => json(200, modelMetadata(served)));
  if (verb === "ready") {
    const ready = served.version !== null;
    return get(request, () => json(ready ? 200 : 503, { name: served.name, ready }));
  }
  if (verb !== "infer") throw noPath(request.path);
  needMethod(request, "POST");
  return infer(agent, served, parseInferRequest(request.body, request.headerLength));
}

async function infer(agent: Agent, served: ServedModel, request: InferRequest): Promise<OipAnswer> {
  const { version, manifest } = served;
  // Where no version ever was, nobody knows what the tensors mean: the agent answers, and logs, for the request as a whole.
  const inputs = manifest ? readInputs(request.inputs, manifest.input) : { rows: new Float32Array(0) };
  if (manifest) checkOutputs(request, manifest);
  const prediction = await agent.predict({
    model: served.name,
    ...inputs,
    ...(request.entity !== undefined && { entity: request.entity }),
    ...(request.eventTime !== undefined && { eventTime: request.eventTime }),
    ...(request.id !== undefined && { requestId: request.id }),
  });
  // A tensor has no place for "no answer", so one row without makes the whole request unanswered; and where a version
  // came between, these are not its tensors. Either way the answers are in the log: their ids are told.
  const replaced = prediction.digest !== null && prediction.digest !== version?.digest;
  if (!manifest || replaced || prediction.answers.some(({ source }) => source === "none")) {
    return unanswered(served.name, prediction, replaced);
  }
  const head = {
    model_name: served.name,
    ...(version && { model_version: String(prediction.release ?? version.release) }),
    ...(request.id !== undefined && { id: request.id }),
    parameters: writeParameters(prediction),
  };
  return { kind: "infer", body: writeBody(head, writeTensors(prediction.answers, manifest.output), request) };
}

/** Before the model runs, so that a request that cannot be answered is not counted as a prediction. */
function checkOutputs(request: InferRequest, manifest: Manifest): void {
  const known = servedOutputs(manifest.output).map(({ name }) => name);
  const stranger = request.outputs?.find(({ name }) => !known.includes(name));
  if (!stranger) return;
  throw new VedetteError(
    "invalid_input",
    `output ${shown(stranger.name)} is none of this model's: it has ${known.join(", ")}`,
  );
}

function unanswered(model: string, prediction: Prediction, replaced: boolean): OipAnswer {
  const none = prediction.answers.find(({ source }) => source === "none");
  const reason = replaced ? "not_ready" : (none?.reason ?? "no_model");
  const error = replaced
    ? `${model} was replaced while this was answered: ask again`
    : `${model} has no answer (${reason}), and neither has its fallback`;
  const parameters = { source: "none", reason, ...writeParameters(prediction) };
  return { kind: "failure", status: 503, body: { error, parameters } };
}

function serverMetadata(facts: ServerFacts) {
  return { name: "vedette", version: facts.version, extensions: ["binary_tensor_data", "model_repository"] };
}

/** The specification says `live`, KServe `ready`: both keys, so that either client understands. */
function health(facts: ServerFacts, asked: "live" | "ready"): OipAnswer {
  const ready = !facts.stopping();
  return json(asked === "live" || ready ? 200 : 503, { live: true, ready });
}

function repositoryIndex(agent: Agent) {
  return agent.models().map(({ name, version }) => ({
    name,
    ...(version && { version: String(version.release) }),
    state: version ? "READY" : "UNAVAILABLE",
    reason: version ? "" : "no version serves",
  }));
}

/** Also of a version that was withdrawn: its fallback answers, for the same tensors. */
function modelMetadata({ name, version, manifest }: ServedModel) {
  if (!manifest) throw new VedetteError("not_ready", `${name} is assigned here, but no version serves yet`);
  const { input, output } = manifest;
  return {
    name,
    versions: version ? [String(version.release)] : [],
    platform: "onnx_onnxv1",
    inputs: input.tensors,
    outputs: servedOutputs(output),
  };
}

function find(agent: Agent, name: string, version: string | undefined): ServedModel {
  const models = agent.models();
  const served = models.find((model) => model.name === name);
  if (!served) {
    const known = models.map((model) => model.name).join(", ") || "none";
    throw new VedetteError("not_found", `no model ${shown(name)} here: this agent has ${known}`);
  }
  if (version === undefined || version === String(served.version?.release)) return served;
  const serving = served.version ? `version ${served.version.release} serves` : "no version serves";
  throw new VedetteError("not_found", `version ${shown(version)} of ${name} is not serving here: ${serving}`);
}

function get(request: OipRequest, make: () => OipAnswer): OipAnswer {
  needMethod(request, "GET");
  return make();
}

function needMethod(request: OipRequest, method: string): void {
  if (request.method === method || (request.method === "HEAD" && method === "GET")) return;
  throw new VedetteError("invalid_argument", `${request.path} is asked with ${method}, not ${request.method}`);
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
