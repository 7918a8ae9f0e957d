/** `node js/speed.ts [simd|scalar|native …]`: what the kernels cost, medians of 31 runs, beside the prototype's figures. */
import type { Kernels, Variant } from "./index.ts";
import { loadKernelsNode } from "./node.ts";

const d = 16;
const rows = 10_000;
const random = () => Math.random() + Math.random() + Math.random();
const data = Float32Array.from({ length: rows * d }, random);
const names = Array.from({ length: d }, (_, i) => `f${i}`);
const features = names.map((name) => ({ name, kind: "number" }) as const);

/** Median ms of `call`. */
function median(call: () => void, runs = 31): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    call();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[runs >> 1]!;
}

/** Median ns a row when `rows` rows are observed in batches of `size`. */
function observing(kernels: Kernels, size: number, rff: boolean, lag: number): number {
  const builder = kernels.newReferenceBuilder(features, { rff });
  builder.sample(data);
  builder.count(data);
  const state = kernels.openReference(builder.finish()).newState({ lag });
  const batches = Array.from({ length: rows / size }, (_, i) => data.subarray(i * size * d, (i + 1) * size * d));
  const time = median(() => {
    for (const batch of batches) state.observe(batch);
  });
  state.free();
  return (time / rows) * 1e6;
}

const wanted = process.argv.slice(2) as Variant[];
for (const variant of wanted.length > 0 ? wanted : (["simd", "scalar"] as const)) {
  const kernels = await loadKernelsNode(variant);
  const say = (what: string, value: number, unit: string) =>
    console.log(`${variant.padEnd(7)} ${what.padEnd(44)} ${value.toPrecision(3).padStart(8)} ${unit}`);
  const [bins, banked, all] = [
    observing(kernels, rows, false, 65_535),
    observing(kernels, rows, false, 1),
    observing(kernels, rows, true, 1),
  ];
  say("16 × 128 bins and correlation", bins, "ns/row");
  say("with the bank", banked, "ns/row");
  say("with the joint features too", all, "ns/row");
  say("the joint features alone", all - banked, "ns/row");
  for (const size of [100, 1]) say(`everything, batches of ${size}`, observing(kernels, size, true, 1), "ns/row");
  const [a, b] = [0, 0.02].map((shift) => Float64Array.from({ length: rows }, () => Math.fround(random() + shift))) as [
    Float64Array,
    Float64Array,
  ];
  say("KS 10k × 10k", median(() => void kernels.ksTwoSample(a, b)) * 1000, "µs");
  const [x, y] = [data.subarray(0, 1000 * d), data.subarray(1000 * d, 2000 * d)];
  say(
    "MMD² 1000 × 1000, d = 16",
    median(() => void kernels.mmd2(x, y, d, 0.1)),
    "ms",
  );
  const build = () => void kernels.buildReference(names, data);
  say("a reference of 10k rows", median(build, 5), "ms");
}
