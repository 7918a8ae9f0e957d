/** One infer request: from its body to what the agent is asked, and from what the agent said to the answer. */
import { isAscii } from "node:buffer";
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { servedOutputs } from "@vedette/protocol/served-outputs";
import type { Agent, Prediction, PredictRequest, ServedModel } from "../../core/agent.ts";
import type { Load } from "../gateway/load.ts";
import type { OipFailure } from "./errors.ts";
import { createInferStats, type InferStats } from "./infer-stats.ts";
import { type QuickWay, quickWayOf } from "./quick-infer.ts";
import { type InferRequest, parseInferRequest, parseJson, readInferRequest, shown } from "./request.ts";
import { readInputs } from "./tensors-in.ts";
import { type InferBody, writeBody, writeParameters, writeTensors } from "./tensors-out.ts";

/** A model as requests meet it: what was worked out for the version that serves, and what is counted of it. */
export interface Desk {
  readonly served: ServedModel;
  readonly quick: QuickWay | null;
  readonly stats: InferStats;
  readonly load: Load;
}
/** What the agent is asked, and what is still needed to answer. */
export interface InferCall {
  readonly ask: PredictRequest;
  /** Null: the usual kind, which the quick way answers. */
  readonly request: InferRequest | null;
}
export type InferAnswer =
  | { readonly kind: "infer"; readonly body: InferBody }
  | ({ readonly kind: "failure" } & OipFailure);

/** Rows and values of one request. */
export interface RowLimits {
  readonly rows: number;
  readonly values: number;
}

/** The desk of a model: the same one while the same version serves, with its load and its counts by version. */
export function createDesks(agent: Pick<Agent, "models">, newLoad: () => Load) {
  const desks = new Map<string, Desk>();
  /** By model, then release; `null` while none serves. */
  const stats = new Map<string, Map<number | null, InferStats>>();

  const open = (served: ServedModel, former: Desk | undefined): Desk => {
    const { name, version, manifest } = served;
    const byRelease = stats.get(name) ?? new Map<number | null, InferStats>();
    stats.set(name, byRelease);
    const release = version?.release ?? null;
    const counted = byRelease.get(release) ?? createInferStats();
    byRelease.set(release, counted);
    const quick = version && manifest ? quickWayOf(name, version.release, manifest) : null;
    const desk: Desk = { served, quick, stats: counted, load: former?.load ?? newLoad() };
    desks.set(name, desk);
    return desk;
  };
  return {
    /** @throws VedetteError not_found naming the models there are, or the version that serves. */
    find(name: string, version: string | undefined): Desk {
      const models = agent.models();
      const served = models.find((model) => model.name === name);
      if (!served) {
        const known = models.map((model) => model.name).join(", ") || "none";
        throw new VedetteError("not_found", `no model ${shown(name)} here: this agent has ${known}`);
      }
      if (version !== undefined && version !== String(served.version?.release)) {
        const serving = served.version ? `version ${served.version.release} serves` : "no version serves";
        throw new VedetteError("not_found", `version ${shown(version)} of ${name} is not serving here: ${serving}`);
      }
      const desk = desks.get(name);
      return desk && same(desk.served, served) ? desk : open(served, desk);
    },
    stats: stats as ReadonlyMap<string, ReadonlyMap<number | null, InferStats>>,
  };
}
export type Desks = ReturnType<typeof createDesks>;

function same(a: ServedModel, b: ServedModel): boolean {
  return (
    a.manifest === b.manifest &&
    a.version?.digest === b.version?.digest &&
    a.version?.release === b.version?.release &&
    a.second?.digest === b.second?.digest
  );
}

/**
 * Reads a request.
 * @throws VedetteError invalid_input naming the tensor or field that does not fit; unsupported.
 */
export function readInfer(
  desk: Desk,
  body: Uint8Array,
  headerLength: string | undefined,
  limits: RowLimits,
): InferCall {
  const { name, manifest } = desk.served;
  let request: InferRequest;
  if (desk.quick && headerLength === undefined) {
    const json = jsonOf(body);
    const quick = desk.quick.read(json);
    if (quick) {
      const { rows, id } = quick;
      checkRows(rows.length, manifest as Manifest, limits);
      return { ask: id === undefined ? { model: name, rows } : { model: name, rows, requestId: id }, request: null };
    }
    request = readInferRequest(json, body.subarray(body.length));
  } else request = parseInferRequest(body, headerLength);
  // Where no version ever was, nobody knows what the tensors mean: the agent answers, and logs, for the request as a whole.
  const inputs = manifest ? readInputs(request.inputs, manifest.input) : { rows: new Float32Array(0) };
  if (manifest) {
    checkRows(inputs.rows.length, manifest, limits);
    checkOutputs(request, manifest);
  }
  const ask = {
    model: name,
    ...inputs,
    ...(request.entity !== undefined && { entity: request.entity }),
    ...(request.eventTime !== undefined && { eventTime: request.eventTime }),
    ...(request.id !== undefined && { requestId: request.id }),
  };
  return { ask, request };
}

/** Nearly every body is ASCII, which becomes a string in a third of the time. @throws VedetteError invalid_input. */
function jsonOf(body: Uint8Array): unknown {
  if (!(body instanceof Buffer) || !isAscii(body)) return parseJson(body);
  try {
    return JSON.parse(body.toString("latin1"));
  } catch (cause) {
    throw new VedetteError("invalid_input", "the request is not JSON in UTF-8", { cause });
  }
}

function checkRows(values: number, { input }: Manifest, limits: RowLimits): void {
  if (values > limits.values) {
    throw new VedetteError("invalid_input", `${values} values are too many for one request: ${limits.values} at most`);
  }
  const rows = values / input.fields.length;
  if (rows > limits.rows) {
    throw new VedetteError(
      "invalid_input",
      `${rows} rows are too many for one request: split it, ${limits.rows} at most`,
    );
  }
}

/** @throws VedetteError unsupported for outputs that cannot be put in their tensors. */
export function answerInfer(desk: Desk, { ask, request }: InferCall, prediction: Prediction): InferAnswer {
  const { version, second, manifest, name } = desk.served;
  if (request === null) {
    const text = desk.quick?.write(prediction, ask.requestId);
    if (text !== undefined) return { kind: "infer", body: { kind: "text", text } };
  }
  // A tensor has no place for "no answer", so one row without makes the whole request unanswered; and where a version
  // came between, these are not its tensors. Either way the answers are in the log: their ids are told.
  const replaced = prediction.digest !== null && ![version?.digest, second?.digest].includes(prediction.digest);
  if (!manifest || replaced || prediction.answers.some(({ source }) => source === "none")) {
    return unanswered(name, prediction, replaced);
  }
  const head = {
    model_name: name,
    ...(version && { model_version: String(prediction.release ?? version.release) }),
    ...(ask.requestId !== undefined && { id: ask.requestId }),
    parameters: writeParameters(prediction),
  };
  const asked = request ?? { outputs: undefined, binaryOutput: false };
  return { kind: "infer", body: writeBody(head, writeTensors(prediction.answers, manifest.output), asked) };
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

function unanswered(model: string, prediction: Prediction, replaced: boolean): InferAnswer {
  const none = prediction.answers.find(({ source }) => source === "none");
  const reason = replaced ? "not_ready" : (none?.reason ?? "no_model");
  const error = replaced
    ? `${model} was replaced while this was answered: ask again`
    : `${model} has no answer (${reason}), and neither has its fallback`;
  const parameters = { source: "none", reason, ...writeParameters(prediction) };
  return { kind: "failure", status: 503, body: { error, parameters } };
}
