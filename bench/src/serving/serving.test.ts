import { expect, test } from "vitest";
import { measureServing } from "./serving.ts";

test("a short run of the servers that need no Python is answered whole", { timeout: 120_000 }, async () => {
  const all = await measureServing({
    servers: ["json", "vedette"],
    models: ["mlp", "trees", "conv"],
    connections: [1, 8],
    rounds: 1,
    turnMs: 100,
  });
  expect(all.map(({ model }) => model)).toEqual(["mlp", "trees", "conv"]);
  for (const { figures, health } of all) {
    expect(figures.map(({ server, connections }) => `${server} ${connections}`)).toEqual([
      "json 1",
      "vedette 1",
      "json 8",
      "vedette 8",
    ]);
    for (const { perSecond, p50Micros, p99Micros, cpuMicros, failed } of figures) {
      expect(failed).toBe(0);
      expect(perSecond).toBeGreaterThan(0);
      expect(p99Micros).toBeGreaterThanOrEqual(p50Micros);
      expect(cpuMicros).toBeGreaterThanOrEqual(0);
    }
    for (const { asked } of health) expect(asked).toBeGreaterThan(0);
  }
});
