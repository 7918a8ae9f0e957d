import { expect, test } from "vitest";
import { measureHttp } from "./http.ts";

test("a short run is answered whole by both servers, and compared", async () => {
  const { json, infer, ratio, mainRatio } = await measureHttp({ rounds: 1, turnMs: 100 });
  expect([json.failed, infer.failed]).toEqual([0, 0]);
  expect(ratio).toBeCloseTo(infer.perSecond / json.perSecond);
  expect(mainRatio).toBeCloseTo(json.mainMicros / infer.mainMicros);
  expect(infer.p99Micros).toBeGreaterThanOrEqual(infer.p50Micros);
});
