/** The server over an agent that answers as a test tells it, made anew for each test of the file. */
import { encodeManifest, type Manifest, parseManifest } from "@vedette/protocol/bundle";
import { fromUtf8 } from "@vedette/protocol/bytes";
import { afterEach, beforeEach } from "vitest";
import type { Agent, Answer, PredictRequest, ServedModel } from "../../src/core/agent.ts";
import type { Logger } from "../../src/core/ports.ts";
import { type OipServer, type OipServerOptions, startOipServer } from "../../src/node/oip/server.ts";

const silent: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
export const digest = "d".repeat(64);
const hash = "a".repeat(64);
const field = (name: string, column: number) =>
  ({ name, kind: "number", tensor: "x", column, required: false, outOfRange: "count" }) as const;

export function manifestWith(change: Partial<Manifest> = {}): Manifest {
  const chunks = [{ sha256: hash, length: 4 }];
  const manifest: Manifest = {
    format: "vedette.bundle/1",
    critical: [],
    model: "rain",
    createdAt: "2026-11-23T00:00:00Z",
    files: ["model.onnx", "drift.bin", "golden.json"].map((path) => ({ path, sha256: hash, size: 4, chunks })),
    runtime: {
      file: "model.onnx",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
      outputs: [{ name: "scores", datatype: "FP32", shape: [-1, 3] }],
    },
    features: { plan: "identity", hash },
    input: {
      fields: [field("wind", 1), field("temp", 0)],
      tensors: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
    },
    output: {
      task: "classification",
      classes: ["0", "1", "2"],
      scores: { tensor: "scores", activation: "none" },
      label: { tensor: "label" },
      tensors: [
        { name: "label", datatype: "INT64", shape: [-1] },
        { name: "scores", datatype: "FP32", shape: [-1, 3] },
      ],
    },
    drift: { file: "drift.bin", alpha: 0.01, windowRows: 100 },
    fallback: { cache: null, rules: null, confidenceFloor: null },
    golden: { file: "golden.json" },
    limits: { latencyMs: 100, memoryBytes: 1e8 },
    freshUntil: null,
    requires: { capability: 1, opset: 17, kernelAbi: 1, backends: ["node-cpu"] },
    log: { inputs: "full" },
    lineage: {},
    ...change,
  };
  return parseManifest(fromUtf8(encodeManifest(manifest)));
}

export const answered = (n: number, change: Partial<Answer> = {}): Answer => ({
  id: `dev.rain.0123456789abcdef.${n}`,
  source: "model",
  reason: null,
  cached: false,
  confidence: 0.75,
  label: "2",
  value: null,
  scores: [0, 0.25, 0.75],
  outputs: null,
  ...change,
});

/** What the agent was asked, and what it is to say. */
interface Scripted {
  asked: PredictRequest[];
  models: ServedModel[];
  answerOf: (row: number) => Answer;
  predict: Agent["predict"];
  server: OipServer;
}
export const scripted = {} as Scripted;
const agent: Agent = {
  id: "dev",
  predict: (request) => scripted.predict(request),
  models: () => scripted.models,
  status: () => {
    throw new Error("not asked here");
  },
  onChange: () => () => undefined,
  stop: async () => undefined,
};
export const start = (options: Partial<OipServerOptions> = {}) =>
  startOipServer({ agent, log: silent, version: "0.1.0", port: 0, ...options });

beforeEach(async () => {
  scripted.asked = [];
  scripted.models = [{ name: "rain", version: { digest, release: 7 }, manifest: manifestWith() }];
  scripted.answerOf = answered;
  scripted.predict = async (request) => {
    scripted.asked.push(request);
    const answers = Array.from({ length: request.rows.length / 2 }, (_, row) => scripted.answerOf(row));
    return { model: request.model, digest, release: 7, answers };
  };
  scripted.server = await start();
});
afterEach(() => scripted.server.close());

interface Body {
  error: string;
  parameters: Record<string, unknown>;
  model_version?: string;
  outputs: [{ data: unknown[] }, { data: number[] }];
}
export async function call(path: string, init: RequestInit = {}) {
  const response = await fetch(`${scripted.server.url}${path}`, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}
export const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  call(path, { method: "POST", body: JSON.stringify(body), headers });
export const x = (data: unknown, change: object = {}) => ({
  name: "x",
  shape: [1, 2],
  datatype: "FP32",
  data,
  ...change,
});
export const infer = (body: unknown) => post("/v2/models/rain/infer", body);
