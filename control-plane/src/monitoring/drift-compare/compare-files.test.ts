import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compareFiles } from "./compare-files.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vedette-pairs-"));
});
afterAll(() => rm(folder, { recursive: true }));
const kernels = await loadKernelsNode();

/** xorshift32, so that each run sees the same numbers. */
function randomOf(seed: number): () => number {
  let x = seed * 2654435761 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

async function compared(seed: number, rows: readonly [number, number], shift: (row: number, rows: number) => number) {
  const random = randomOf(seed);
  const paths = await Promise.all(
    ["before.csv", "after.csv"].map(async (name, side) => {
      const lines = Array.from({ length: rows[side] as number }, (_, i) => {
        const by = side === 1 ? shift(i, rows[1]) : 0;
        return `${normal(random) + by},${normal(random) ** 3},${random() < 0.3 ? "a" : "b"}`;
      });
      const path = join(folder, `${seed}-${name}`);
      await writeFile(path, ["x,heavy,kind", ...lines].join("\n"));
      return path;
    }),
  );
  const [reference, current] = paths as [string, string];
  return compareFiles({ reference, current }, { alpha: 0.05 }, { kernels, now: () => 0 });
}

test("[H2] where nothing changed the verdict is drift no more often than alpha allows", {
  timeout: 60_000,
}, async () => {
  let drifted = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const { verdict } = await compared(seed, [600, 400], () => 0);
    if (verdict === "drift") drifted++;
  }
  // Binomial, 40 at .05: more than 6 comes once in 290 times.
  expect(drifted).toBeLessThanOrEqual(6);
});

test("[H2] a shift of half a deviation is found and named, with its size in the feature's unit", async () => {
  const found = await compared(77, [4000, 2000], () => 0.5);
  expect(found).toMatchObject({ verdict: "drift", summary: "1 of 3 features moved: x." });
  expect(found.features[0]?.w1).toBeGreaterThan(0.4);
  expect(found.features[0]?.w1).toBeLessThan(0.6);
  expect(found.joint?.drift).toBe(true);
  expect(found.current.rows).toBe(2000);
});

test("what goes up in one half and down in the other is a notice at least: the rows are looked at in their order", async () => {
  const found = await compared(78, [20_000, 4000], (row, rows) => (row < rows / 2 ? 0.25 : -0.25));
  expect(["notice", "drift"]).toContain(found.verdict);
  const { points, alarmAt } = found.timeline ?? { points: [], alarmAt: 0 };
  expect(points.some(({ logE, top }) => logE >= alarmAt && top === "x")).toBe(true);
  expect(found.heat?.lines.length).toBe(24);
  expect(found.heat?.lines.reduce((sum, { rows }) => sum + rows, 0)).toBe(4000);
});
