import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { fieldCount, sensorRows } from "./inputs.ts";
import { measurePredict } from "./predict.ts";
import { batch, openServedMlp } from "./served-model.ts";
import { classes, modelName } from "./serving/models.ts";

test("what is measured answers as the bare model does, and logs every row", async () => {
  const served = await openServedMlp();
  const bare = await InferenceSession.create(served.model);
  const rows = sensorRows(batch);
  await served.settle();
  const requests = Array.from({ length: batch }, (_, i) => rows.slice(i * fieldCount, (i + 1) * fieldCount));
  const answers = await Promise.all(requests.map((row) => served.slot.predict({ model: modelName, rows: row })));
  const { logits } = await bare.run({ X: new Tensor("float32", rows, [batch, fieldCount]) });
  for (const [i, { answers: own }] of answers.entries()) {
    const raw = Array.from({ length: classes.length }, (_, c) =>
      Math.exp(Number(logits?.data[i * classes.length + c])),
    );
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    expect(own[0]?.source).toBe("model");
    for (const [c, weight] of raw.entries()) expect(own[0]?.scores?.[c]).toBeCloseTo(weight / total, 5);
  }
  expect((await served.settle()).rows).toBe(batch);
  await bare.release();
  await served.close();
});

test("a short run gives every figure", async () => {
  const result = await measurePredict({ rounds: 1, turnMs: 20 });
  expect(result.ratio).toBeCloseTo(result.full / result.bare);
  for (const figure of [...Object.values(result.cpu), result.bytesPerPrediction, result.ratioOneByOne]) {
    expect(figure).toBeGreaterThan(0);
    expect(figure).toBeLessThan(Number.POSITIVE_INFINITY);
  }
});
