import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { codeOf } from "@vedette/protocol/errors";
import { InferenceSession } from "onnxruntime-node";
import { expect, test, vi } from "vitest";
import { slowModel, tinyModel } from "../../test/node/onnx-model.ts";
import { createOrtBackend } from "./ort-backend.ts";
import type { Tensors } from "./ort-tensors.ts";

const silent = { warn: () => undefined };
const x: Tensors = {
  x: { datatype: "FP32", shape: [2, 2], data: Float32Array.of(0, 0, 1, 3) },
  s: { datatype: "BYTES", shape: [2], data: ["a", "ä"] },
};

test("tells the signature, runs in a worker, and gives only what was asked for: floats, int64 and texts", async () => {
  // Below any measurement: a run may take so little that the clock of the thread does not move.
  const session = await createOrtBackend(silent, { mainThreadRunMs: -1 }).load(tinyModel());
  expect(session.inputs).toEqual([
    { name: "x", datatype: "FP32", shape: [-1, 2] },
    { name: "s", datatype: "BYTES", shape: [-1] },
  ]);
  expect(session.outputs.map(({ name, datatype }) => `${name} ${datatype}`)).toEqual([
    "scores FP32",
    "label INT64",
    "t BYTES",
  ]);
  const all = await session.run(x, ["scores", "label", "t"]);
  expect(all.label).toEqual({ datatype: "INT64", shape: [2], data: BigInt64Array.of(0n, 1n) });
  expect(all.t).toEqual({ datatype: "BYTES", shape: [2], data: ["a", "ä"] });
  expect(Array.from(all.scores?.data as Float32Array)[3]).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
  expect(Object.keys(await session.run(x, ["label"]))).toEqual(["label"]);
  for (let i = 0; i < 10; i++) await session.run(x, ["label"]);
  expect(session.thread).toBe("worker");
  await session.release();
});

test("a quick model moves to the main thread after its trial, and answers the same", async () => {
  const session = await createOrtBackend(silent, { trialRuns: 3, mainThreadRunMs: 1e6, mainThreadLoadMs: 1e6 }).load(
    tinyModel(),
  );
  const before = await session.run(x, ["scores", "label", "t"]);
  for (let i = 0; i < 3; i++) await session.run(x, ["label"]);
  await vi.waitFor(() => expect(session.thread).toBe("main"));
  expect(await session.run(x, ["scores", "label", "t"])).toEqual(before);
  await session.release();
});

test("[A1] on the main thread it tells its own time as a worker does, while it is compared with another version's", async () => {
  const session = await createOrtBackend(silent, { trialRuns: 1, mainThreadRunMs: 1e6, mainThreadLoadMs: 1e6 }).load(
    tinyModel(),
  );
  await session.run(x, ["label"]);
  await vi.waitFor(() => expect(session.thread).toBe("main"));
  await session.run(x, ["label"]);
  expect(session.ranMs).toBeUndefined();
  session.compared = true;
  // What else the thread does meanwhile is not its own.
  const busy = () => {
    const until = performance.now() + 30;
    while (performance.now() < until);
  };
  const run = session.run(x, ["label"]);
  process.nextTick(busy);
  await run;
  expect(session.ranMs).toBeLessThan(25);
  session.compared = false;
  await session.run(x, ["label"]);
  expect(session.ranMs).toBeUndefined();
  await session.release();
});

test("a model that does not load twice goes on in its worker, and the log says why", async () => {
  const warned: unknown[] = [];
  const log = { warn: (...entry: unknown[]) => void warned.push(entry) };
  const create = vi.spyOn(InferenceSession, "create").mockRejectedValue(new Error("no memory"));
  const session = await createOrtBackend(log, { trialRuns: 1, mainThreadRunMs: 1e6, mainThreadLoadMs: 1e6 }).load(
    tinyModel(),
  );
  for (let i = 0; i < 3; i++) await session.run(x, ["label"]);
  expect(session.thread).toBe("worker");
  expect(warned).toEqual([["model.not_moved", { why: "no memory" }]]);
  await session.release();
  create.mockRestore();
});

test("concurrent runs each get their own answer", async () => {
  const session = await createOrtBackend(silent).load(tinyModel());
  const runs = Array.from({ length: 40 }, (_, i) =>
    session.run({ ...x, s: { datatype: "BYTES", shape: [2], data: [`${i}`, "b"] } }, ["t"]),
  );
  const answers = await Promise.all(runs);
  expect(answers.map(({ t }) => t?.data[0])).toEqual(Array.from({ length: 40 }, (_, i) => `${i}`));
  await session.release();
});

test("what is no model, a wrong input and a released session are said as such", async () => {
  const backend = createOrtBackend(silent);
  expect(await backend.load(new Uint8Array([1, 2, 3])).catch(codeOf)).toBe("invalid_model");
  const session = await backend.load(tinyModel());
  const wrong: Tensors = { ...x, x: { datatype: "FP32", shape: [2, 3], data: new Float32Array(6) } };
  expect(await session.run(wrong, ["scores"]).catch(codeOf)).toBe("model_failed");
  expect(await session.run(x, ["scores"]).then(() => "ran", codeOf)).toBe("ran");
  await session.release();
  expect(await session.run(x, ["scores"]).catch(codeOf)).toBe("model_failed");
});

test("[G19] a model that takes over a millisecond stays in its worker, and the main thread goes round while it runs", async () => {
  const session = await createOrtBackend(silent).load(slowModel());
  const one: Tensors = { x: { datatype: "FP32", shape: [1, 1], data: Float32Array.of(1) } };
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  try {
    for (let i = 0; i < 12; i++) {
      const before = turns;
      const y = (await session.run(one, ["y"])).y?.data[0];
      expect(Number.isFinite(y)).toBe(true);
      if (i > 6) expect(turns).toBeGreaterThan(before);
    }
  } finally {
    clearInterval(counting);
  }
  expect(session.thread).toBe("worker");
  await session.release();
});

test("a model that is released in mid-run answers it, takes no more, and holds nobody up; the process lives on", async () => {
  const backend = createOrtBackend(silent, { endWithinMs: 50 });
  const session = await backend.load(slowModel(512, 400));
  const one: Tensors = { x: { datatype: "FP32", shape: [1, 1], data: Float32Array.of(1) } };
  let answered = false;
  const run = session.run(one, ["y"]).then(() => {
    answered = true;
  });
  // Well within the run, which takes hundreds of milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await session.release();
  expect(answered).toBe(false);
  expect(await session.run(one, ["y"]).catch(codeOf)).toBe("model_failed");
  await run;
  expect(answered).toBe(true);
  await backend.close();
});

test("a load that ends only after the close gives no model, and leaves no thread", async () => {
  const backend = createOrtBackend(silent, { endWithinMs: 1 });
  const loading = backend.load(tinyModel()).then(() => "loaded", codeOf);
  await backend.close();
  expect(await loading).toBe("not_ready");
});

test.each([
  ["being loaded", "backend.load(slowModel()).catch(() => {});"],
  [
    "at work",
    "const session = await backend.load(slowModel()); const again = () => session.run(one, ['y']).then(again, () => {}); for (let i = 0; i < 3; i++) again();",
  ],
  [
    "released after a run that never reached it",
    "const session = await backend.load(slowModel(8, 1)); structuredClone(0, { transfer: [one.x.data.buffer] }); const failed = await session.run(one, ['y']).catch(({ code }) => code); if (failed !== 'model_failed') console.log(failed); await session.release();",
  ],
])("a process that closes while a model is %s ends as it says, and not in the runtime's abort", async (_, work) => {
  const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    import { createOrtBackend } from ${at("./ort-backend.ts")};
    import { slowModel } from ${at("../../test/node/onnx-model.ts")};
    const one = { x: { datatype: "FP32", shape: [1, 1], data: Float32Array.of(1) } };
    const backend = createOrtBackend(console);
    ${work}
    await backend.close();
    console.log(await backend.load(slowModel()).catch((error) => error.code));
    process.exit(3);`;
  const ended = await promisify(execFile)(process.execPath, ["--eval", script]).catch((error: unknown) => error);
  expect(ended).toMatchObject({ code: 3, stdout: "not_ready\n", stderr: "" });
});
