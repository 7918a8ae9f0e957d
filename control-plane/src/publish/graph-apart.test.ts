import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { openGraph } from "./graph.ts";
import { openGraphApart } from "./graph-apart.ts";

const model = (name: string) => readFile(new URL(`../../../fixtures/models/written/${name}.onnx`, import.meta.url));
/** A view into a larger buffer, as batches of a table are. */
const feeds = {
  X: { datatype: "FP32", shape: [2, 2], data: Float32Array.of(9, 9, 1, 2, -3, 0.5).subarray(2) },
} as const;

it("answers as it would here, row views and all", async () => {
  const bytes = await model("linear");
  const [here, apart] = [await openGraph(bytes), await openGraphApart(bytes)];
  try {
    expect({ ...apart, run: 0, release: 0, time: undefined }).toEqual({ ...here, run: 0, release: 0 });
    expect(await apart.run(feeds)).toEqual(await here.run(feeds));
  } finally {
    await Promise.all([here.release(), apart.release()]);
  }
});

it("[R6] a graph that never ends is refused and its process ended", async () => {
  const graph = await openGraphApart(await model("bad-slow"), 8_000);
  const refused = { code: "invalid_model", message: expect.stringContaining("did not end within 8 s") };
  await expect(graph.run(feeds)).rejects.toMatchObject(refused);
  await expect(graph.run(feeds)).rejects.toBeDefined(); // the process is gone
  await graph.release();
});

it("[R6] a graph that takes memory without end is refused before it has the publisher's", async () => {
  const graph = await openGraphApart(await model("bad-growing"));
  const refused = { code: "invalid_model", message: expect.stringContaining("too much memory") };
  await expect(graph.run(feeds)).rejects.toMatchObject(refused);
  await graph.release();
});

it("what is wrong with a model is said as if it were opened here", async () => {
  for (const [name, code] of [
    ["bad-corrupt", "invalid_model"],
    ["bad-endless", "invalid_model"],
  ] as const) {
    await expect(openGraphApart(await model(name))).rejects.toMatchObject({ code });
  }
});
