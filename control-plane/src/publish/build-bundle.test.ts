import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goldenVectors, parseManifest } from "@vedette/protocol/bundle";
import { concatBytes, fromUtf8 } from "@vedette/protocol/bytes";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordingKernels } from "../../test/recording-kernels.ts";
import { sha256 } from "../sha256.ts";
import { type BuildPorts, type Bundle, buildBundle } from "./build-bundle.ts";
import { defaultLatencyMs } from "./latency.ts";
import { type ModelDescription, readSources } from "./read-sources.ts";

const models = fileURLToPath(new URL("../../../fixtures/models/", import.meta.url));
const data = process.env.VEDETTE_TEST_DATA;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vedette-publish-"));
});
afterAll(() => rm(folder, { recursive: true }));

const kernels = recordingKernels();
let elapsed = 0;
const ports: BuildPorts = {
  kernels,
  now: () => Date.UTC(2026, 0, 2, 3, 4, 5),
  monotonic: () => (elapsed += 2.5),
};

type Words = Partial<Omit<ModelDescription, "name" | "modelFile" | "referenceFile">>;
async function build(model: string, csv: string, words: Words = {}): Promise<Bundle> {
  const what = { name: "m", modelFile: join(models, model), referenceFile: csv, logInputs: "full" as const, ...words };
  return buildBundle(what, await readSources(what, 1), ports);
}
async function csv(text: string): Promise<string> {
  const path = join(folder, `${sha256(text).slice(0, 12)}.csv`);
  await writeFile(path, text);
  return path;
}
const plane = "a,b,y\n1,2,0\n-1,0.5,0\n0,4,0\n3,-1,1\n";

describe("a model with its reference data", () => {
  it("becomes a manifest that readers accept, with every file whole and named by its hash", async () => {
    const bundle = await build("written/two-class-int64.onnx", await csv(plane), { label: "y" });
    const manifest = parseManifest(bundle.text);
    expect(sha256(bundle.text)).toBe(bundle.digest);
    for (const file of manifest.files) {
      const bytes = concatBytes(file.chunks.map((chunk) => bundle.blobs.get(chunk.sha256) ?? new Uint8Array()));
      expect(sha256(bytes)).toBe(file.sha256);
    }
    expect(manifest.createdAt).toBe("2026-01-02T03:04:05.000Z");
    expect(manifest.requires).toMatchObject({
      domains: [""],
      capability: 1,
      opset: 17,
      kernelAbi: 1,
      backends: ["node-cpu", "wasm"],
    });
    expect(manifest.input.fields).toMatchObject([
      { name: "a", tensor: "X", column: 0, required: true, min: -1, max: 3, outOfRange: "count" },
      { name: "b", tensor: "X", column: 1, required: true, min: -1, max: 4 },
    ]);
    expect(manifest.output).toMatchObject({
      task: "classification",
      classes: ["0", "1"],
      scores: { tensor: "probabilities", activation: "none" },
      label: { tensor: "label" },
      tensors: [
        { name: "label", datatype: "INT64", shape: [-1] },
        { name: "probabilities", datatype: "FP32", shape: [-1, 2] },
      ],
    });
    // 20 × the 2.5 ms that the test's clock lets each run take are less than a busy device's pause.
    expect(manifest.limits.latencyMs).toBe(250);
    expect(defaultLatencyMs(20)).toBe(400);
    expect(manifest.lineage).toMatchObject({
      label: "y",
      reference: { rows: 4 },
      trainingData: { rows: 4, accuracy: 1 },
    });
    const { features, counted } = kernels.built.at(-1) ?? { features: [], counted: [] };
    expect(features.map(({ name }) => name)).toEqual(["a", "b", "out:score:1", "out:label"]);
    expect(counted.filter((_, i) => i % 4 < 2)).toEqual([1, 2, -1, 0.5, 0, 4, 3, -1]);
  });

  it("carries golden vectors: real rows with the answers that the graph gave", async () => {
    const bundle = await build("written/linear.onnx", await csv(plane), { label: "y" });
    const file = parseManifest(bundle.text).files.find(({ path }) => path === "golden.json");
    const golden = goldenVectors.parse(
      JSON.parse(fromUtf8(bundle.blobs.get(file?.chunks[0]?.sha256 ?? "") as Uint8Array)),
    );
    expect(golden.rows).toEqual([
      [1, 2],
      [-1, 0.5],
      [0, 4],
      [3, -1],
    ]);
    expect(golden.outputs.variable).toEqual([-3.5, -3, -11.5, 9.5]);
  });

  it("reads raw scores as logits, and names classes by their indices where nobody else did", async () => {
    const { manifest } = await build("written/mlp-logits.onnx", await csv("a,b\n1,2\n3,0.5\n-1,4\n"));
    expect(manifest.output).toMatchObject({
      classes: ["0", "1", "2"],
      scores: { tensor: "logits", activation: "softmax" },
    });
    expect(manifest.output).not.toHaveProperty("label");
  });

  it("takes one number a row for a regression, or for a logit where classes are named", async () => {
    const file = await csv("a,b\n1,2\n30,0.5\n-10,4\n");
    const regression = await build("written/one-logit.onnx", file);
    expect(regression.manifest.output).toMatchObject({ task: "regression", value: { tensor: "logits" } });
    expect(regression.notes.join()).toContain("--classes");
    const logit = await build("written/one-logit.onnx", file, { classes: ["dry", "rain"] });
    expect(logit.manifest.output).toMatchObject({ classes: ["dry", "rain"], scores: { activation: "sigmoid" } });
  });

  it("gives indices the names of --classes, and leaves the label output out that says other words", async () => {
    const classes = ["dry", "rain"];
    const bundle = await build("written/two-class-int64.onnx", await csv(plane), { label: "y", classes });
    expect(bundle.manifest.output).toMatchObject({ classes });
    expect(bundle.manifest.output).not.toHaveProperty("label");
    expect(bundle.metrics).toEqual({ rows: 4, accuracy: 1 });
    const other = await csv("a,b,y\n1,2,sun\n3,-1,snow\n");
    await expect(build("written/two-class-int64.onnx", other, { label: "y", classes })).rejects.toMatchObject({
      code: "invalid_csv",
      message: expect.stringContaining("no label is one of the classes dry, rain (labels are sun, snow)"),
    });
  });

  it("matches several inputs by name, whatever the order of the columns, else by order", async () => {
    const named = await build(
      "written/many-inputs.onnx",
      await csv('pressure,extra,"wind speed [m/s]"\n1,9,2\n3,9,4\n'),
    );
    expect(named.manifest.input.fields.map(({ name, tensor }) => [name, tensor])).toEqual([
      ["wind speed [m/s]", "wind speed [m/s]"],
      ["pressure", "pressure"],
    ]);
    const ordered = await build("written/many-inputs.onnx", await csv("w,p\n1,2\n3,4\n"));
    expect(ordered.manifest.input.fields.map(({ name, tensor }) => [name, tensor])).toEqual([
      ["w", "wind speed [m/s]"],
      ["p", "pressure"],
    ]);
  });

  it("requires every field where the model answers NaN to a missing value, and says so", async () => {
    const bundle = await build("written/linear.onnx", await csv("a,b\n1,2\n,3\n4,5\nNA,1\n"));
    expect(bundle.manifest.input.fields.map((field) => field.required)).toEqual([true, true]);
    expect(bundle.notes.join()).toContain("NaN where a value is missing");
    // What it does not answer is no part of what it is compared with.
    expect(kernels.built.at(-1)?.counted.filter((_, i) => i % 3 < 2)).toEqual([1, 2, 4, 5]);
  });

  it("keeps rules, floors and ages, and refuses rules that no model could follow", async () => {
    const file = await csv(plane);
    const rules = [{ when: [{ field: "a", op: "<", value: 0 }], answer: "0", confidence: 0.6 }, { answer: "1" }];
    const { manifest } = await build("written/two-class-int64.onnx", file, {
      label: "y",
      rules,
      confidenceFloor: 0.4,
      cacheAgeMs: 3_600_000,
      latencyMs: 7,
      freshUntil: "2027-01-01T00:00:00Z",
      logInputs: "none",
    });
    expect(manifest.fallback).toEqual({ cache: { maxAgeMs: 3_600_000 }, rules, confidenceFloor: 0.4 });
    expect(manifest).toMatchObject({
      limits: { latencyMs: 7 },
      freshUntil: "2027-01-01T00:00:00Z",
      log: { inputs: "none" },
    });

    const refused = (bad: unknown): Promise<Bundle> =>
      build("written/two-class-int64.onnx", file, { label: "y", rules: bad });
    await expect(refused([{ answer: "2" }])).rejects.toMatchObject({
      code: "invalid_rules",
      message: 'rule 1 answers "2", and the classes are "0", "1"',
    });
    await expect(
      refused([{ answer: "0" }, { when: [{ field: "c", op: "<", value: 1 }], answer: "1" }]),
    ).rejects.toThrow('rule 2 asks for "c", and the model\'s fields are a, b');
    await expect(refused([{ when: [{ field: "a", op: "<" }], answer: "1" }])).rejects.toThrow("give < a value");
    await expect(refused([{ when: [{ field: "a", op: "~", value: 1 }], answer: "1" }])).rejects.toThrow(
      "rule 1, when.0.op",
    );
    await expect(refused({ answer: "1" })).rejects.toMatchObject({ code: "invalid_rules" });
  });

  it("has one recipe for equal sources and words, whenever and however fast it was published", async () => {
    const what = {
      name: "m",
      modelFile: join(models, "written/linear.onnx"),
      referenceFile: await csv(plane),
      logInputs: "full" as const,
    };
    const { recipe } = await readSources(what, 1);
    expect((await readSources({ ...what }, 1)).recipe).toBe(recipe);
    expect((await readSources({ ...what, confidenceFloor: 0.5 }, 1)).recipe).not.toBe(recipe);
    expect((await readSources({ ...what, driftWindow: 60 }, 1)).recipe).not.toBe(recipe);
    expect((await readSources(what, 2)).recipe).not.toBe(recipe);
  });
});

describe("refusals say what is wrong and what to do", () => {
  it.each([
    ["a model cut short", "written/bad-corrupt.onnx", plane, {}, "invalid_model", "cut short"],
    ["NaN answers", "written/bad-nan.onnx", plane, { features: ["a", "b"] }, "invalid_model", "NaN"],
    ["no column of texts for a tensor of texts", "written/bad-string-input.onnx", plane, {}, "invalid_csv", " BYTES "],
    [
      "no such task",
      "written/linear.onnx",
      plane,
      { features: ["a", "b"], rules: [{ answer: 1 }], task: "tensor" },
      "invalid_rules",
      "--rules out",
    ],
    [
      "a refusal of nothing",
      "written/linear.onnx",
      plane,
      { features: ["a", "b"], refuse: ["z"] },
      "invalid_argument",
      '"z"',
    ],
    [
      "too many columns",
      "written/linear.onnx",
      plane,
      {},
      "invalid_csv",
      'takes 2 values a row (X FP32 [-1, 2]), and the reference data has numeric columns 3: "a", "b", "y"',
    ],
    ["too few features", "written/linear.onnx", plane, { features: ["a"] }, "invalid_csv", "--features names 1"],
    [
      "an unknown feature",
      "written/linear.onnx",
      plane,
      { features: ["a", "z"] },
      "invalid_csv",
      'no column "z"; its columns are "a", "b", "y"',
    ],
    ["an unknown label", "written/linear.onnx", plane, { label: "z" }, "invalid_csv", 'no column "z"'],
    [
      "the label as a feature",
      "written/linear.onnx",
      plane,
      { label: "a", features: ["a", "b"] },
      "invalid_csv",
      "leave one out",
    ],
    [
      "a feature of words",
      "written/linear.onnx",
      "a,b\n1,x\n2,y\n",
      { features: ["a", "b"] },
      "invalid_csv",
      'column "b"',
    ],
    ["ragged lines", "written/linear.onnx", "a,b\n1,2\n3\n", {}, "invalid_csv", "cannot be read as CSV"],
    ["lines of two systems", "written/linear.onnx", "a,b\r\n1,2\n3,4\n", {}, "invalid_csv", "write them all alike"],
    ["no rows", "written/linear.onnx", "a,b\n", {}, "invalid_csv", "no rows"],
    ["an empty file", "written/linear.onnx", "", {}, "invalid_csv", "no rows"],
    ["no header", "written/linear.onnx", "1,2\n3,4\n", {}, "invalid_csv", "names of the columns"],
    [
      "too few class names",
      "written/mlp-logits.onnx",
      "a,b\n1,2\n3,0.5\n",
      { classes: ["x", "y"] },
      "invalid_argument",
      "scores 3 classes, and --classes names 2",
    ],
    [
      "labels of other classes",
      "written/mlp-logits.onnx",
      "a,b,y\n1,2,5\n3,0.5,6\n",
      { label: "y" },
      "invalid_csv",
      "--classes",
    ],
  ] as const)("%s", async (_what, model, text, words, code, message) => {
    await expect(build(model, await csv(text), words as Words)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it("a file that is not there", async () => {
    await expect(build("written/none.onnx", await csv(plane))).rejects.toMatchObject({ code: "not_found" });
    await expect(build("written/linear.onnx", join(folder, "none.csv"))).rejects.toMatchObject({ code: "not_found" });
  });

  it("bytes that are no model at all", async () => {
    const path = join(folder, "noise.onnx");
    await writeFile(path, "<!doctype html><p>404");
    const what = { name: "m", modelFile: path, referenceFile: await csv(plane), logInputs: "full" as const };
    await expect(readSources(what, 1)).rejects.toMatchObject({ code: "invalid_model" });
    await writeFile(path, Uint8Array.of(8, 0, 255, 1));
    await expect(buildBundle(what, await readSources(what, 1), ports)).rejects.toMatchObject({ code: "invalid_model" });
  });
});

describe.skipIf(!data)("real models on real data", () => {
  const rooms = join(data ?? "", "occupancy/datatraining.txt");
  const fields = ["Temperature", "Humidity", "Light", "CO2", "HumidityRatio"];

  it.each([
    ["occupancy-logistic.onnx", "none", 0.98],
    ["occupancy-forest.onnx", "none", 0.98],
    ["occupancy-mlp.onnx", "softmax", 0.97],
  ])("%s: all numeric columns but the label are its inputs", async (model, activation, accuracy) => {
    const bundle = await build(`exported/${model}`, rooms, { label: "Occupancy" });
    expect(bundle.manifest.input.fields.map((field) => field.name)).toEqual(fields);
    expect(bundle.manifest.output).toMatchObject({ classes: ["0", "1"], scores: { activation } });
    expect(bundle.metrics).toMatchObject({ rows: 8143, accuracy: expect.any(Number) });
    expect((bundle.metrics as { accuracy: number }).accuracy).toBeGreaterThan(accuracy);
    expect(bundle.notes).toEqual([]);
  });

  it("occupancy-words: a model that answers with words says itself in which order", async () => {
    const labelled = await build("exported/occupancy-words.onnx", rooms, {
      features: fields,
      classes: ["empty", "occupied"],
    });
    expect(labelled.manifest.output).toMatchObject({ classes: ["empty", "occupied"], label: { tensor: "label" } });
    const told = await build("exported/occupancy-words.onnx", rooms, { features: fields });
    expect(told.manifest.output).toEqual(labelled.manifest.output);
  });

  it("torque-boosting: a regression with spaces and brackets in its names", async () => {
    const bundle = await build("exported/torque-boosting.onnx", join(data ?? "", "ai4i/ai4i2020.csv"), {
      features: ["Air temperature [K]", "Rotational speed [rpm]", "Tool wear [min]"],
      label: "Torque [Nm]",
    });
    expect(bundle.manifest.output).toMatchObject({ task: "regression" });
    expect((bundle.metrics as { r2: number }).r2).toBeGreaterThan(0.75);
  });
});
