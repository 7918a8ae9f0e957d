import { expect, test } from "vitest";
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
