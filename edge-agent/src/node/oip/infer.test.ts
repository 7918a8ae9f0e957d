/** What an inference request may say, and what its answer says. */
import type { Manifest } from "@vedette/protocol/bundle";
import { fromUtf8 } from "@vedette/protocol/bytes";
import { expect, test } from "vitest";
import { answered, call, digest, infer, manifestWith, post, scripted, x } from "../../../test/node/scripted-server.ts";

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
  expect(scripted.asked[0]).toEqual({
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
  expect(scripted.asked[0]?.rows).toEqual(Float32Array.of(2, 1, Number.NaN, 3));
  expect(scripted.asked[1]?.rows).toEqual(scripted.asked[0]?.rows);
});

test("several rows: sources, reasons and ids in lists; a rule's certainty spread over the classes", async () => {
  scripted.answerOf = (row) =>
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
  scripted.models = [
    { name: "rain", version: { digest, release: 7 }, manifest: manifestWith({ output: named as Manifest["output"] }) },
  ];
  scripted.answerOf = (row) => answered(row, { label: "wet" });
  const { body } = await infer({ inputs: [x([1, 2])], outputs: [{ name: "label" }] });
  expect(body.outputs).toEqual([{ name: "label", datatype: "BYTES", shape: [1, 1], data: ["wet"] }]);
});

test("a regression gives its value", async () => {
  const output: Manifest["output"] = {
    task: "regression",
    value: { tensor: "y" },
    tensors: [{ name: "y", datatype: "FP64", shape: [-1, 1] }],
  };
  scripted.models = [{ name: "rain", version: { digest, release: 7 }, manifest: manifestWith({ output }) }];
  scripted.answerOf = (row) => answered(row, { label: null, scores: null, confidence: null, value: 1.5 });
  const { body } = await infer({ inputs: [x([1, 2])] });
  expect(body.outputs).toEqual([{ name: "y", datatype: "FP64", shape: [1, 1], data: [1.5] }]);
  expect(body.parameters).not.toHaveProperty("vedette_confidence");
});

test("binary tensors, in and out, as tritonclient sends them by default", async () => {
  const data = Buffer.from(Float32Array.of(1.5, -2).buffer);
  const input = { name: "x", shape: [1, 2], datatype: "FP32", parameters: { binary_data_size: data.length } };
  const header = Buffer.from(JSON.stringify({ parameters: { binary_data_output: true }, inputs: [input] }));
  const response = await fetch(`${scripted.server.url}/v2/models/rain/infer`, {
    method: "POST",
    headers: { "Inference-Header-Content-Length": String(header.length) },
    body: Buffer.concat([header, data]),
  });
  expect(scripted.asked[0]?.rows).toEqual(Float32Array.of(-2, 1.5));
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
  expect(scripted.asked).toEqual([]);
});

test("no answer is 503 with source and reason, for one row or among several", async () => {
  scripted.answerOf = (row) =>
    row === 0 ? answered(0, { source: "none", reason: "low_confidence", label: null, scores: null }) : answered(1);
  for (const n of [1, 2]) {
    const { status, body } = await infer({ inputs: [x(Array(2 * n).fill(1), { shape: [n, 2] })] });
    expect(status).toBe(503);
    expect(body.parameters).toMatchObject({ source: "none", reason: "low_confidence" });
  }
});

test("a model that was withdrawn still says its tensors, and its rules answer for them", async () => {
  scripted.models = [{ name: "rain", version: null, manifest: manifestWith() }];
  scripted.predict = async ({ model }) => ({
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

test("[C2] where requests are split between two versions an answer of either stands, and says by which", async () => {
  const second = { digest: "e".repeat(64), release: 8 };
  scripted.models = [{ name: "rain", version: { digest, release: 7 }, manifest: manifestWith() }];
  expect((await infer({ inputs: [x([1, 2])] })).status).toBe(200);
  // The split begins: what the desk knew of the model before is no longer so.
  scripted.models = scripted.models.map((model) => ({ ...model, second }));
  scripted.predict = async () => ({ model: "rain", ...second, answers: [answered(0)] });
  const { status, body } = await infer({ inputs: [x([1, 2])] });
  expect([status, body.model_version]).toEqual([200, "8"]);
  scripted.predict = async () => ({ model: "rain", digest, release: 7, answers: [answered(0)] });
  expect((await infer({ inputs: [x([1, 2])] })).body.model_version).toBe("7");
});

test("a version swapped while the answer was made is not answered with another's tensors", async () => {
  scripted.predict = async () => ({ model: "rain", digest: "e".repeat(64), release: 8, answers: [answered(0)] });
  expect(await infer({ inputs: [x([1, 2])] })).toMatchObject({
    status: 503,
    body: { parameters: { reason: "not_ready", vedette_id: answered(0).id, vedette_source: "model" } },
  });
});
