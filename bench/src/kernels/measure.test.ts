import { nativeIsBuilt } from "@vedette/wasm-kernels/node";
import { expect, test } from "vitest";
import { thisMachine } from "../report-format.ts";
import { measureKernels } from "./measure.ts";
import { kernelsReport } from "./report.ts";
import { kernelNames } from "./subjects.ts";

test("a short run gives every figure, and what a window weighs is within its budget", async () => {
  const result = await measureKernels({ rounds: 1, turnMs: 1 });
  for (const kernel of kernelNames) {
    const { simd, scalar, native, "plain JS": plain } = result.nanos[kernel];
    const figures = [simd, scalar, ...(nativeIsBuilt() ? [native] : [])];
    if (!kernel.startsWith("everything")) figures.push(plain);
    for (const figure of figures) expect(figure).toSatisfy(Number.isFinite);
  }
  expect(result.wireBytes.all).toBeLessThanOrEqual(2048);
  expect(result.wireBytes.binsOnly).toBeLessThan(result.wireBytes.all);
  expect(result.stateBytesAFeature).toBeLessThanOrEqual(700);
  const report = kernelsReport(thisMachine(), result);
  for (const left of result.left) expect(report).toContain(left);
}, 60_000);
