/** When the native kernels are taken, and what they owe the process that they live in. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, test, vi } from "vitest";
import { goldenAbi2 } from "./golden-run.ts";
import type { Kernels } from "./index.ts";
import { type KernelsChoice, loadKernelsNode, nativeIsBuilt } from "./node.ts";

const built = nativeIsBuilt();
const nowhere = join(tmpdir(), "vedette-no-such-folder", "kernels.node");

afterEach(() => {
  vi.unstubAllEnvs();
});

test.each<[said: string, variant: string]>([
  ["", "simd"],
  ["simd", "simd"],
  ["scalar", "scalar"],
  ["auto", built ? "native" : "simd"],
])("VEDETTE_KERNELS=%s gives %s", async (said, variant) => {
  vi.stubEnv("VEDETTE_KERNELS", said);
  expect((await loadKernelsNode()).variant).toBe(variant);
});

test("what VEDETTE_KERNELS says counts only where the program does not choose, and must be a choice", async () => {
  vi.stubEnv("VEDETTE_KERNELS", "fastest");
  expect((await loadKernelsNode("scalar")).variant).toBe("scalar");
  await expect(loadKernelsNode()).rejects.toMatchObject({
    code: "invalid_argument",
    message: "VEDETTE_KERNELS is fastest, and may be simd, scalar, native, auto or nothing",
  });
});

test("native kernels that were not built are an error only where they are asked for by name", async () => {
  const load = (choice: KernelsChoice) => loadKernelsNode(choice, nowhere);
  expect((await load("auto")).variant).toBe("simd");
  await expect(load("native")).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("npm run build:native"),
  });
});

test("a native module that does not load is an error, with its cause, and never passed over", async () => {
  const folder = await mkdtemp(join(tmpdir(), "vedette-native-"));
  const broken = join(folder, "kernels.node");
  await writeFile(broken, "no library");
  for (const choice of ["native", "auto"] as const) {
    await expect(loadKernelsNode(choice, broken)).rejects.toMatchObject({
      code: "unavailable",
      cause: expect.any(Error),
    });
  }
  await rm(folder, { recursive: true });
});

test("a native module that was built of other sources is refused when it is loaded", async () => {
  const folder = await mkdtemp(join(tmpdir(), "vedette-native-"));
  const other = join(folder, "kernels.cjs");
  await writeFile(other, "exports.kernelAbi = () => 1;");
  await expect(loadKernelsNode("auto", other)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/of abi 1, and this program is of 2/),
  });
  await rm(folder, { recursive: true });
});

describe.skipIf(!built)("the native kernels", () => {
  /** Wide enough that each state of it takes some ten megabytes. */
  const width = 2000;
  const openWide = (kernels: Kernels) => {
    const names = Array.from({ length: width }, (_, i) => `f${i}`);
    const rows = Float32Array.from({ length: 60 * width }, (_, i) => Math.sin(i));
    return kernels.openReference(kernels.buildReference(names, rows));
  };
  const megabytes = () => process.memoryUsage.rss() / 2 ** 20;

  test("what is freed is given back at once", async () => {
    const reference = openWide(await loadKernelsNode("native"));
    reference.newState().free();
    const before = megabytes();
    for (let i = 0; i < 80; i++) reference.newState().free();
    expect(megabytes() - before).toBeLessThan(200);
  });

  test("what is only forgotten is given back when it is collected", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const reference = openWide(await loadKernelsNode("native"));
    const before = megabytes();
    for (let i = 0; i < 80; i++) {
      reference.newState();
      if (i % 10 !== 9) continue;
      collect();
      await setImmediate();
    }
    expect(megabytes() - before).toBeLessThan(300);
  });

  test("a thread computes the same, and its end leaves the others as they were", async () => {
    const kernels = await loadKernelsNode("native");
    const state = kernels.openReference(kernels.buildReference(["a"], new Float32Array(60))).newState();
    const program = `
      import { parentPort } from "node:worker_threads";
      import { goldenHash } from ${JSON.stringify(new URL("golden.ts", import.meta.url))};
      import { loadKernelsNode } from ${JSON.stringify(new URL("node.ts", import.meta.url))};
      parentPort.postMessage(goldenHash(await loadKernelsNode("native")));`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
    const hash = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    await worker.terminate();
    expect(hash).toBe(goldenAbi2);
    state.observe(new Float32Array(9));
    expect(state.n).toBe(9);
  });
});
