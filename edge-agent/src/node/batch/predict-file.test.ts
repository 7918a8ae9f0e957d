import { expect, onTestFinished, test, vi } from "vitest";
import { predictFile } from "./predict-file.ts";

test("answers never take the place of the file that was asked about, however its name is written", async () => {
  const agent = {
    models: () => [],
    predict: () => Promise.reject(new Error("asked")),
    onChange: () => () => undefined,
  };
  for (const output of ["rows.csv", "./rows.csv", "folder/../rows.csv"]) {
    await expect(predictFile({ agent, model: "pump", input: "rows.csv", output, waitMs: 0 })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("take the place of --in"),
    });
  }
});

const files = { input: "rows.csv", output: "answers.csv" };
/** An agent that has `pump` in service, `rain` just assigned, and nothing to change that. */
const agent: Parameters<typeof predictFile>[0]["agent"] = {
  models: () => [
    { name: "pump", version: { digest: "d".repeat(64), release: 1 }, manifest: null },
    { name: "rain", version: null, manifest: null },
  ],
  predict: () => Promise.reject(new Error("asked")),
  onChange: () => () => undefined,
};

test("[Q67] a model that is not here is said at once, with those that are", async () => {
  vi.useFakeTimers(); // no time passes
  onTestFinished(() => void vi.useRealTimers());
  await expect(predictFile({ agent, model: "pmup", ...files })).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining("no model pmup here (models here: pump, rain)"),
  });
});

test("[Q67] one that is here and does not serve yet is waited for, and one that is not where that was said", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  for (const [model, waitMs, seconds] of [
    ["rain", undefined, 30],
    ["rain", 7_000, 7],
    ["pmup", 7_000, 7],
  ] as const) {
    const ended = predictFile({ agent, model, ...files, waitMs }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1_000 * seconds - 1);
    expect(await Promise.race([ended, "waits"])).toBe("waits");
    await vi.advanceTimersByTimeAsync(1);
    expect(await ended).toMatchObject({
      code: "not_ready",
      message: expect.stringContaining(`${model} does not serve here after ${seconds} s`),
    });
  }
});
