import type { InputField, OutputSchema } from "@vedette/protocol/bundle";
import { coarse, maxKnownCategories } from "@vedette/protocol/drift-features";
import { expect, test } from "vitest";
import { recordingKernels } from "../../test/recording-kernels.ts";
import { buildDriftReference } from "./drift-reference.ts";
import type { Graph, Output } from "./graph.ts";
import type { Reference } from "./reference.ts";

const x = { name: "x", datatype: "FP32" as const, shape: [-1, 2] };
const wind: InputField = { name: "wind", kind: "number", tensor: "x", column: 0, required: true, outOfRange: "count" };
const crowd = Array.from({ length: 100 }, (_, i) => `c${i}`);
const city: InputField = { ...wind, name: "city", kind: "category", column: 1, categories: crowd };

/** Rows as `at` gives them, and a graph that answers them as `answer` does. */
function given(rows: number, at: (row: number) => [number, number], answer: (row: number) => number[]) {
  const fields = [wind, { ...wind, name: "temp", column: 1 }];
  let asked = 0;
  const data: Reference = {
    rows,
    input: { fields, tensors: [x] },
    graphInputs: [x],
    columns: [],
    tensors: {},
    width: 2,
    take: (wanted) => ({ rows: Float32Array.from(wanted.flatMap(at)) }),
  };
  const width = answer(0).length;
  const graph: Graph = {
    opset: 17,
    domains: [""],
    inputs: [x],
    outputs: [],
    async run(feeds) {
      const values = feeds.x?.data as Float32Array;
      const n = values.length / 2;
      asked += n;
      // A row is known by its wind.
      const out = Array.from({ length: n }, (_, i) => answer(values[2 * i] as number)).flat();
      return { p: { shape: [n, width], data: out } satisfies Output };
    },
    release: async () => undefined,
  };
  return { data, graph, asked: () => asked };
}
const every = (rows: number) => Array.from({ length: rows }, (_, row) => row);

test("[Y17] both passes see every row in order, its inputs and what the model answers to it", async () => {
  const output: OutputSchema = {
    task: "classification",
    classes: ["dry", "rain"],
    scores: { tensor: "p", activation: "sigmoid" },
    tensors: [{ name: "p", datatype: "FP32", shape: [-1, 1] }],
  };
  const rows = 10_000;
  const { data, graph, asked } = given(
    rows,
    (row) => [row, -row],
    (row) => [(row - 5000) / 1000],
  );
  const kernels = recordingKernels();
  const made = await buildDriftReference(kernels, graph, data, { input: data.input, output }, every(rows), null);
  const [built] = kernels.built;
  expect(built?.features).toEqual([
    { name: "wind", kind: "number" },
    { name: "temp", kind: "number" },
    { name: "out:score:rain", kind: "number" },
    { name: "out:label", kind: "category", known: 2 },
  ]);
  expect([built?.sampled.length, asked(), made.known]).toEqual([4 * rows, rows, {}]);
  expect(built?.counted).toEqual(built?.sampled);
  for (const row of [0, 4095, 4096, 9999]) {
    const p = 1 / (1 + Math.exp(-(row - 5000) / 1000));
    expect(built?.counted.slice(4 * row, 4 * row + 4)).toEqual([row, -row, coarse(p), row > 5000 ? 1 : 0]);
  }
});

test("[Y17] a row that the model answers with no number is left out, and the model is not asked what is known", async () => {
  const output: OutputSchema = { task: "regression", value: { tensor: "p" }, tensors: [] };
  const { data, graph, asked } = given(
    5,
    (row) => [row, 0],
    (row) => [row],
  );
  const answers = { p: { shape: [5, 1], data: [0, 1, Number.NaN, 3, 4] } };
  const kernels = recordingKernels();
  await buildDriftReference(kernels, graph, data, { input: data.input, output }, every(5), answers);
  expect(kernels.built[0]?.counted.filter((_, i) => i % 3 === 2)).toEqual([0, 1, 3, 4]);
  expect(asked()).toBe(0);
});

test("[Y17] of more categories than bins the most frequent have one, and the manifest says which", async () => {
  const output: OutputSchema = { task: "tensor", tensors: [] };
  // The later a category, the more often it comes; c99 most.
  const places = crowd.flatMap((_, place) => Array.from({ length: place + 1 }, () => place));
  const { data, graph } = given(
    places.length,
    (row) => [row, places[row] as number],
    () => [0],
  );
  const kernels = recordingKernels();
  const input = { fields: [wind, city], tensors: [x] };
  const { known } = await buildDriftReference(kernels, graph, data, { input, output }, every(places.length), null);
  expect(known).toEqual({ city: Array.from({ length: maxKnownCategories }, (_, i) => 99 - i) });
  const codes = kernels.built[0]?.counted.filter((_, i) => i % 2 === 1) ?? [];
  // The rarest are "other", the most frequent is the first.
  expect([codes[0], codes.at(-1)]).toEqual([maxKnownCategories, 0]);
});

test("[Y17] without data there is a reference of nothing", async () => {
  const output: OutputSchema = { task: "tensor", tensors: [] };
  const { data, graph } = given(
    0,
    () => [0, 0],
    () => [0],
  );
  const kernels = recordingKernels();
  await buildDriftReference(kernels, graph, data, { input: data.input, output }, [], null);
  expect(kernels.built).toMatchObject([{ counted: [] }]);
});
