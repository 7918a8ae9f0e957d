import { request as httpRequest } from "node:http";
import { encodeManifest, type Manifest, parseManifest } from "@vedette/protocol/bundle";
import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Agent, Answer, PredictRequest, ServedModel } from "../../core/agent.ts";
import type { Logger } from "../../core/ports.ts";
import { type OipServer, type OipServerOptions, startOipServer } from "./server.ts";

const silent: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
const digest = "d".repeat(64);
const hash = "a".repeat(64);
const field = (name: string, column: number) =>
  ({ name, kind: "number", tensor: "x", column, required: false, outOfRange: "count" }) as const;

function manifestWith(change: Partial<Manifest> = {}): Manifest {
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
    requires: { capability: 1, opset: 17, kernelAbi: 2, backends: ["node-cpu"] },
    log: { inputs: "full" },
    lineage: {},
    ...change,
  };
  return parseManifest(fromUtf8(encodeManifest(manifest)));
}

const answered = (n: number, change: Partial<Answer> = {}): Answer => ({
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

let asked: PredictRequest[];
let models: ServedModel[];
let answerOf: (row: number) => Answer;
let predict: Agent["predict"];
let server: OipServer;
const agent: Agent = {
  id: "dev",
  predict: (request) => predict(request),
  models: () => models,
  status: () => {
    throw new Error("not asked here");
  },
  onChange: () => () => undefined,
  stop: async () => undefined,
};
const start = (options: Partial<OipServerOptions> = {}) =>
  startOipServer({ agent, log: silent, version: "0.1.0", port: 0, ...options });

beforeEach(async () => {
  asked = [];
  models = [{ name: "rain", version: { digest, release: 7 }, manifest: manifestWith() }];
  answerOf = answered;
  predict = async (request) => {
    asked.push(request);
    const answers = Array.from({ length: request.rows.length / 2 }, (_, row) => answerOf(row));
    return { model: request.model, digest, release: 7, answers };
  };
  server = await start();
});
afterEach(() => server.close());

interface Body {
  error: string;
  parameters: Record<string, unknown>;
  model_version?: string;
  outputs: [{ data: unknown[] }, { data: number[] }];
}
async function call(path: string, init: RequestInit = {}) {
  const response = await fetch(`${server.url}${path}`, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  call(path, { method: "POST", body: JSON.stringify(body), headers });
const x = (data: unknown, change: object = {}) => ({ name: "x", shape: [1, 2], datatype: "FP32", data, ...change });
const infer = (body: unknown) => post("/v2/models/rain/infer", body);

test("says what it is, that it lives, and which models there are", async () => {
  expect((await call("/v2")).body).toMatchObject({
    name: "vedette",
    extensions: expect.arrayContaining(["binary_tensor_data"]),
  });
  expect((await call("/v2/health/live")).body).toEqual({ live: true, ready: true });
  expect(await call("/v2/health/ready")).toMatchObject({ status: 200, body: { live: true, ready: true } });
  expect((await call("/v2/models")).body).toEqual({ models: ["rain"] });
  expect((await post("/v2/repository/index", {})).body).toEqual([
    { name: "rain", version: "7", state: "READY", reason: "" },
  ]);
});

test("tells a model's signature, with and without its version", async () => {
  const { body } = await call("/v2/models/rain");
  expect(body).toEqual({
    name: "rain",
    versions: ["7"],
    platform: "onnx_onnxv1",
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
    outputs: [
      { name: "label", datatype: "INT64", shape: [-1] },
      { name: "scores", datatype: "FP32", shape: [-1, 3] },
    ],
  });
  expect((await call("/v2/models/rain/versions/7")).body).toEqual(body);
  expect((await call("/v2/models/rain/ready")).body).toEqual({ name: "rain", ready: true });
  expect((await call("/v2/models/rain/versions/6")).status).toBe(404);
});

test("answers one row: fields in the schema's order, id echoed, where the answer came from", async () => {
  const { status, body } = await infer({
    id: "r-1",
    parameters: { vedette_entity: "station-1", vedette_time: "2026-11-23T00:00:00Z" },
    inputs: [x([[12.5, 4.25]])],
  });
  expect(status).toBe(200);
  expect(body).toEqual({
    model_name: "rain",
    model_version: "7",
    id: "r-1",
    parameters: {
      vedette_id: "dev.rain.0123456789abcdef.0",
      vedette_source: "model",
      vedette_cached: false,
      vedette_confidence: 0.75,
      vedette_digest: digest,
    },
    outputs: [
      { name: "label", datatype: "INT64", shape: [1], data: [2] },
      { name: "scores", datatype: "FP32", shape: [1, 3], data: [0, 0.25, 0.75] },
    ],
  });
  const time = Date.UTC(2026, 10, 23);
  expect(asked[0]).toEqual({
    model: "rain",
    rows: Float32Array.of(4.25, 12.5),
    entity: "station-1",
    eventTime: time,
    requestId: "r-1",
  });
});

test("flat and nested data mean the same, null is missing, and a version may be named", async () => {
  await infer({ inputs: [x([1, 2, 3, null], { shape: [2, 2] })] });
  await post("/v2/models/rain/versions/7/infer", {
    inputs: [
      x(
        [
          [1, 2],
          [3, null],
        ],
        { shape: [2, 2] },
      ),
    ],
  });
  expect(asked[0]?.rows).toEqual(Float32Array.of(2, 1, Number.NaN, 3));
  expect(asked[1]?.rows).toEqual(asked[0]?.rows);
});

test("several rows: sources, reasons and ids in lists; a rule's certainty spread over the classes", async () => {
  answerOf = (row) =>
    row === 0
      ? answered(0)
      : answered(1, { source: "rule", reason: "stale_model", scores: null, label: "0", confidence: 0.8 });
  const { body } = await infer({ inputs: [x([1, 2, 3, 4], { shape: [2, 2] })] });
  expect(body.parameters).toMatchObject({
    vedette_id: "dev.rain.0123456789abcdef.0,dev.rain.0123456789abcdef.1",
    vedette_source: "model,rule",
    vedette_reason: ",stale_model",
    vedette_cached: "false,false",
    vedette_confidence: "0.75,0.8",
  });
  expect(body.outputs[0].data).toEqual([2, 0]);
  const expected = [0, 0.25, 0.75, 0.8, 0.1, 0.1];
  for (const [i, score] of expected.entries()) expect(body.outputs[1].data[i]).toBeCloseTo(score, 9);
});

test("labels that are no integers come as BYTES, and only what was asked for comes", async () => {
  const { output } = manifestWith();
  const named = {
    ...output,
    classes: ["dry", "wet", "snow"],
    tensors: [{ name: "label", datatype: "BYTES", shape: [-1, 1] }, output.tensors[1]],
  };
  models = [
    { name: "rain", version: { digest, release: 7 }, manifest: manifestWith({ output: named as Manifest["output"] }) },
  ];
  answerOf = (row) => answered(row, { label: "wet" });
  const { body } = await infer({ inputs: [x([1, 2])], outputs: [{ name: "label" }] });
  expect(body.outputs).toEqual([{ name: "label", datatype: "BYTES", shape: [1, 1], data: ["wet"] }]);
});

test("a regression gives its value", async () => {
  const output: Manifest["output"] = {
    task: "regression",
    value: { tensor: "y" },
    tensors: [{ name: "y", datatype: "FP64", shape: [-1, 1] }],
  };
  models = [{ name: "rain", version: { digest, release: 7 }, manifest: manifestWith({ output }) }];
  answerOf = (row) => answered(row, { label: null, scores: null, confidence: null, value: 1.5 });
  const { body } = await infer({ inputs: [x([1, 2])] });
  expect(body.outputs).toEqual([{ name: "y", datatype: "FP64", shape: [1, 1], data: [1.5] }]);
  expect(body.parameters).not.toHaveProperty("vedette_confidence");
});

test("binary tensors, in and out, as tritonclient sends them by default", async () => {
  const data = Buffer.from(Float32Array.of(1.5, -2).buffer);
  const input = { name: "x", shape: [1, 2], datatype: "FP32", parameters: { binary_data_size: data.length } };
  const header = Buffer.from(JSON.stringify({ parameters: { binary_data_output: true }, inputs: [input] }));
  const response = await fetch(`${server.url}/v2/models/rain/infer`, {
    method: "POST",
    headers: { "Inference-Header-Content-Length": String(header.length) },
    body: Buffer.concat([header, data]),
  });
  expect(asked[0]?.rows).toEqual(Float32Array.of(-2, 1.5));
  expect(response.headers.get("content-type")).toBe("application/octet-stream");
  const bytes = new Uint8Array(await response.arrayBuffer());
  const length = Number(response.headers.get("inference-header-content-length"));
  const head = JSON.parse(fromUtf8(bytes.subarray(0, length)));
  expect(head.outputs).toEqual([
    { name: "label", datatype: "INT64", shape: [1], parameters: { binary_data_size: 8 } },
    { name: "scores", datatype: "FP32", shape: [1, 3], parameters: { binary_data_size: 12 } },
  ]);
  expect(new BigInt64Array(bytes.slice(length, length + 8).buffer)).toEqual(BigInt64Array.of(2n));
  expect(new Float32Array(bytes.slice(length + 8).buffer)).toEqual(Float32Array.of(0, 0.25, 0.75));
});

test("an output may ask for JSON where binary is the rule", async () => {
  const { body } = await infer({
    parameters: { binary_data_output: true },
    inputs: [x([1, 2])],
    outputs: [{ name: "label", parameters: { binary_data: false } }],
  });
  expect(body.outputs[0].data).toEqual([2]);
});

test.each([
  ["an unknown input", { inputs: [x([1, 2], { name: "z" })] }, /input tensor z is none.*takes x/],
  ["an input twice", { inputs: [x([1, 2]), x([1, 2])] }, /x is there more than once/],
  ["a wrong datatype", { inputs: [x([1, 2], { datatype: "FP64" })] }, /x is FP64, but the model takes FP32/],
  ["an unknown datatype", { inputs: [x([1, 2], { datatype: "BF16" })] }, /inputs.0.datatype/],
  ["a wrong shape", { inputs: [x([1, 2, 3], { shape: [1, 3] })] }, /shape \[1, 3\], but the model takes \[-1, 2\]/],
  ["a wrong rank", { inputs: [x([1, 2], { shape: [2] })] }, /shape \[2\]/],
  ["no rows", { inputs: [x([], { shape: [0, 2] })] }, /at least one row/],
  ["a shape that would fill the memory", { inputs: [x([1], { shape: [1e12, 2] })] }, /over 8388608 values/],
  ["too few values", { inputs: [x([1])] }, /x has 1 values, but its shape \[1, 2\] wants 2/],
  ["a text for a number", { inputs: [x([1, "2"])] }, /x: value 1 is "2", not FP32/],
  ["data nested too deep", { inputs: [x([[[1, 2]]])] }, /nested deeper/],
  ["data that is no list", { inputs: [x(1)] }, /data is a list/],
  ["no data", { inputs: [{ name: "x", shape: [1, 2], datatype: "FP32" }] }, /neither data nor binary_data_size/],
  [
    "binary data that is not there",
    { inputs: [x(undefined, { parameters: { binary_data_size: 8 } })] },
    /0 bytes are left/,
  ],
  ["no inputs", { inputs: [] }, /inputs/],
  ["an unknown output", { inputs: [x([1, 2])], outputs: [{ name: "z" }] }, /output z is none.*label, scores/],
  ["a time that is none", { parameters: { vedette_time: "soon" }, inputs: [x([1, 2])] }, /vedette_time/],
])("%s is a 400 that says so, and no prediction", async (_, body, message) => {
  const answer = await infer(body);
  expect(answer.status).toBe(400);
  expect(answer.body.error).toMatch(message);
  expect(asked).toEqual([]);
});

test("what is not JSON, and a header length beyond the body, are 400", async () => {
  const path = "/v2/models/rain/infer";
  expect(await call(path, { method: "POST", body: "{" })).toMatchObject({ status: 400, body: { error: /not JSON/ } });
  const headers = { "Inference-Header-Content-Length": "99999" };
  expect((await call(path, { method: "POST", body: "{}", headers })).status).toBe(400);
});

test("unknown models, paths and extensions, and wrong methods", async () => {
  expect(await post("/v2/models/snow/infer", {})).toMatchObject({
    status: 404,
    body: { error: expect.stringContaining("rain") },
  });
  expect((await call("/v3")).status).toBe(404);
  expect((await call("/v2/models/rain/nonsense")).status).toBe(404);
  expect((await call("/v2/models/rain/infer")).status).toBe(405);
  const classification = { inputs: [x([1, 2])], outputs: [{ name: "scores", parameters: { classification: 2 } }] };
  expect((await infer(classification)).status).toBe(501);
  const zipped = await call("/v2/models/rain/infer", {
    method: "POST",
    body: "x",
    headers: { "content-encoding": "gzip" },
  });
  expect(zipped.status).toBe(415);
});

test("no answer is 503 with source and reason, for one row or among several", async () => {
  answerOf = (row) =>
    row === 0 ? answered(0, { source: "none", reason: "low_confidence", label: null, scores: null }) : answered(1);
  for (const n of [1, 2]) {
    const { status, body } = await infer({ inputs: [x(Array(2 * n).fill(1), { shape: [n, 2] })] });
    expect(status).toBe(503);
    expect(body.parameters).toMatchObject({ source: "none", reason: "low_confidence" });
  }
});

test("[O2] a model with no version is known, not ready, and has no answer; the agent is asked, and the answer has an id", async () => {
  models = [{ name: "rain", version: null, manifest: null }];
  const none = answered(5, { source: "none", reason: "no_model", label: null, confidence: null, scores: null });
  predict = async (request) => {
    asked.push(request);
    return { model: "rain", digest: null, release: null, answers: [none] };
  };
  expect(await call("/v2/models/rain/ready")).toMatchObject({ status: 503, body: { name: "rain", ready: false } });
  expect((await call("/v2/models/rain")).status).toBe(503);
  expect(await infer({ inputs: [x([1, 2])] })).toMatchObject({
    status: 503,
    body: {
      parameters: {
        source: "none",
        reason: "no_model",
        vedette_id: none.id,
        vedette_source: "none",
        vedette_reason: "no_model",
      },
    },
  });
  expect(asked).toHaveLength(1);
  expect((await call("/v2/health/ready")).status).toBe(200);
});

test("a model that was withdrawn still says its tensors, and its rules answer for them", async () => {
  models = [{ name: "rain", version: null, manifest: manifestWith() }];
  predict = async ({ model }) => ({
    model,
    digest: null,
    release: null,
    answers: [answered(1, { source: "rule", reason: "no_model", scores: null })],
  });
  expect(await call("/v2/models/rain")).toMatchObject({ status: 200, body: { versions: [], inputs: [{ name: "x" }] } });
  const { status, body } = await infer({ inputs: [x([1, 2])] });
  expect([status, body.model_version]).toEqual([200, undefined]);
  expect(body.parameters).toMatchObject({ vedette_source: "rule", vedette_reason: "no_model" });
});

test("the agent's own refusals keep their words; its failures do not leak", async () => {
  predict = async () => {
    throw new VedetteError("invalid_input", "field wind is required");
  };
  expect(await infer({ inputs: [x([1, 2])] })).toMatchObject({
    status: 400,
    body: { error: "field wind is required" },
  });
  predict = async () => {
    throw new Error("secret detail");
  };
  const failed = await infer({ inputs: [x([1, 2])] });
  expect(failed.status).toBe(500);
  expect(failed.body.error).not.toContain("secret");
});

test("a version swapped while the answer was made is not answered with another's tensors", async () => {
  predict = async () => ({ model: "rain", digest: "e".repeat(64), release: 8, answers: [answered(0)] });
  expect(await infer({ inputs: [x([1, 2])] })).toMatchObject({
    status: 503,
    body: { parameters: { reason: "not_ready", vedette_id: answered(0).id, vedette_source: "model" } },
  });
});

test("a body over the limit is refused, said beforehand or not", async () => {
  const big = Buffer.alloc(8 * 1024 * 1024 + 1, 32);
  expect((await call("/v2/models/rain/infer", { method: "POST", body: big })).status).toBe(413);
  const status = await new Promise((resolve, reject) => {
    const request = httpRequest(`${server.url}/v2/models/rain/infer`, { method: "POST" }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject);
    request.write(big);
    request.end();
  });
  expect(status).toBe(413);
});

test("an object nested deeper than the stack is the client's fault", async () => {
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  const body = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[${deep}]}]}`;
  const answer = await fetch(`${server.url}/v2/models/rain/infer`, { method: "POST", body });
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("value 0 is an object")]);
});

test("more than the agent can take at once is shed with Retry-After, and the rest answered", async () => {
  await server.close();
  server = await start({ maxInFlight: 2 });
  const gate = Promise.withResolvers<void>();
  const plain = predict;
  predict = async (request) => {
    await gate.promise;
    return plain(request);
  };
  const calls = Array.from({ length: 3 }, () => infer({ inputs: [x([1, 2])] }));
  const first = await Promise.race(calls);
  expect(first.status).toBe(429);
  expect(first.headers.get("retry-after")).toBe("1");
  gate.resolve();
  expect((await Promise.all(calls)).map(({ status }) => status).sort()).toEqual([200, 200, 429]);
});

test("requests that never end shut nobody out, and hold bounded memory together", async () => {
  await server.close();
  server = await start({ maxInFlight: 4, maxHeldBytes: 300_000 });
  const unfinished = Array.from({ length: 20 }, () => {
    const request = httpRequest(`${server.url}/v2/models/rain/infer`, {
      method: "POST",
      headers: { "content-length": 1_000_000 },
    });
    const refused = new Promise<number | undefined>((resolve) => {
      request.on("response", (response) => resolve(response.resume().statusCode)).on("error", () => resolve(undefined));
    });
    request.write(Buffer.alloc(200_000, 32));
    return { request, refused };
  });
  expect(await Promise.race(unfinished.map(({ refused }) => refused))).toBe(429);
  expect((await infer({ inputs: [x([1, 2])] })).status).toBe(200);
  for (const { request } of unfinished) request.destroy();
  const large = { inputs: [x(Array<number>(40_000).fill(1.25), { shape: [20_000, 2] })] };
  await expect.poll(async () => (await infer({ ...large, id: "x".repeat(200) })).status).toBe(400);
});

test("more rows than one request may have are refused, and so are long names, in few words", async () => {
  const rows = await infer({ inputs: [x(Array<number>(8194).fill(1), { shape: [4097, 2] })] });
  expect([rows.status, rows.body.error]).toEqual([400, expect.stringContaining("split it, 4096 rows at most")]);
  expect((await infer({ inputs: [x(Array<number>(8192).fill(1), { shape: [4096, 2] })] })).status).toBe(200);
  for (const name of ["n".repeat(1_000_000), "x"]) {
    const outputs = [{ name: "o".repeat(1_000_000) }];
    const refused = await infer({ inputs: [x([1, 2], { name })], outputs });
    expect(refused.status).toBe(400);
    expect(refused.body.error.length).toBeLessThan(300);
  }
});

test("any host but loopback needs a key; with one, only health is open", async () => {
  await expect(start({ host: "0.0.0.0" })).rejects.toMatchObject({ code: "unauthenticated" });
  await server.close();
  server = await start({ host: "127.0.0.2", apiKey: "s3cret" });
  expect((await call("/v2/health/ready")).status).toBe(200);
  expect((await call("/v2/models")).status).toBe(401);
  expect((await call("/v2/models", { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
  expect((await call("/v2/models", { headers: { authorization: "Bearer s3cret" } })).status).toBe(200);
  expect((await call("/v2/models", { headers: { "x-api-key": "s3cret" } })).status).toBe(200);
});

test("a page of another origin is refused where there is no key", async () => {
  expect((await post("/v2/models/rain/infer", { inputs: [x([1, 2])] }, { origin: "http://evil.example" })).status).toBe(
    403,
  );
  expect(asked).toEqual([]);
});

test("a taken port is said as such", async () => {
  await expect(start({ port: server.port })).rejects.toMatchObject({ code: "conflict" });
});

test("closing answers what is under way, and then is gone", async () => {
  const gate = Promise.withResolvers<void>();
  const plain = predict;
  predict = async (request) => {
    await gate.promise;
    return plain(request);
  };
  const underWay = infer({ inputs: [x([1, 2])] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closing = server.close();
  gate.resolve();
  expect((await underWay).status).toBe(200);
  await closing;
  await expect(call("/v2")).rejects.toThrow();
  server = await start();
});
