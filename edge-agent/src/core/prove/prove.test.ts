import type { Manifest } from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { describe, expect, it } from "vitest";
import type { Backend, Session, Tensor } from "../ports.ts";
import { createFakePeer } from "../test/fake-peer.ts";
import { prove } from "./prove.ts";

/** A classifier of rows [n][1]: label 1 above 2, and a score. */
function setUp(change: { labels?: bigint[]; scores?: number[]; session?: Partial<Session>; golden?: object } = {}) {
  const x = { name: "x", datatype: "FP32" as const, shape: [-1, 1] };
  const label = { name: "label", datatype: "INT64" as const, shape: [-1] };
  const scores = { name: "scores", datatype: "FP32" as const, shape: [-1, 2] };
  const outputs = [label, scores];
  const manifest = createFakePeer({ now: () => 0 }).publish("rain", 1, { scale: 1 }, (made) => ({
    ...made,
    runtime: { file: "model.onnx", inputs: [x], outputs },
    output: {
      task: "classification",
      classes: ["dry", "rain"],
      label: { tensor: "label" },
      scores: { tensor: "scores", activation: "none" },
      tensors: outputs,
    },
  })).manifest;
  const golden = {
    rows: [[1], [3]],
    outputs: { label: [0, 1], scores: [0.9, 0.1, 0.2, 0.8] },
    tolerance: { "node-cpu": { absolute: 0.01, relative: 0 }, wasm: { absolute: 0.2, relative: 0 } },
    ...change.golden,
  };
  let released = 0;
  let time = 0;
  const tensors: Record<string, Tensor> = {
    label: { datatype: "INT64", shape: [2], data: BigInt64Array.from(change.labels ?? [0n, 1n]) },
    scores: { datatype: "FP32", shape: [2, 2], data: Float32Array.from(change.scores ?? [0.9, 0.1, 0.2, 0.8]) },
  };
  const backend = (name: Backend["name"]): Backend => ({
    name,
    load: async () => ({
      inputs: [x],
      outputs,
      run: async () => {
        time += 4;
        return tensors;
      },
      release: async () => void released++,
      ...change.session,
    }),
  });
  const file = async (path: string) => utf8(path === "golden.json" ? JSON.stringify(golden) : "model");
  const run = (name: Backend["name"] = "node-cpu", using: Manifest = manifest, quick = false) =>
    prove({ manifest: using, file, backend: backend(name), clock: { monotonic: () => time }, quick });
  return { run, manifest, released: () => released };
}

describe("prove", () => {
  it("gives the session of a model that answers as it did where it was published", async () => {
    const { run, released } = setUp({ scores: [0.905, 0.1, 0.2, 0.795] });
    await run();
    expect(released()).toBe(0);
  });

  it("[V1] judges by the tolerance of this backend, but labels must be equal", async () => {
    const far = setUp({ scores: [0.8, 0.2, 0.2, 0.8] });
    await expect(far.run("node-cpu")).rejects.toMatchObject({
      code: "proof_failed",
      message: expect.stringContaining("scores[0] is 0.8"),
    });
    expect(far.released()).toBe(1);
    await far.run("wasm");
    await expect(setUp({ labels: [0n, 0n] }).run("wasm")).rejects.toMatchObject({
      code: "proof_failed",
      message: expect.stringContaining("label[1] is 0, published was 1"),
    });
    await expect(setUp({ scores: [Number.NaN, 0, 0, 0] }).run()).rejects.toMatchObject({ code: "proof_failed" });
  });

  it("refuses a graph of another signature, naming what differs", async () => {
    const other = { name: "x", datatype: "FP64" as const, shape: [-1, 1] };
    await expect(setUp({ session: { inputs: [other] } }).run()).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringContaining("x FP32[-1,1], the graph has x FP64[-1,1]"),
    });
    await expect(setUp({ session: { outputs: [] } }).run()).rejects.toMatchObject({ code: "invalid_model" });
    const x = { name: "x", datatype: "FP32" as const, shape: [-1, 1] };
    await expect(setUp({ session: { inputs: [x, { ...x, name: "z" }] } }).run()).rejects.toMatchObject({
      message: expect.stringContaining("z FP32[-1,1] unknown to its manifest"),
    });
  });

  it("measures the median of one row against the budget, but not at boot", async () => {
    const { run, manifest } = setUp();
    const tight: Manifest = { ...manifest, limits: { ...manifest.limits, latencyMs: 3 } };
    await expect(run("node-cpu", tight)).rejects.toMatchObject({
      code: "proof_failed",
      message: expect.stringContaining("4.00 ms"),
    });
    await run("node-cpu", tight, true);
  });

  it("refuses golden vectors that are none", async () => {
    await expect(setUp({ golden: { rows: [[1, 2]] } }).run()).rejects.toMatchObject({ code: "invalid_manifest" });
    await expect(setUp({ golden: { outputs: { label: [0, 1, 1] } } }).run()).rejects.toMatchObject({
      code: "invalid_manifest",
    });
    await expect(setUp({ golden: { rows: "none" } }).run()).rejects.toMatchObject({ code: "invalid_manifest" });
  });
});
