/** The report of `kernels`, from what was measured. */
import { type Machine, machineLine, verdict } from "../report-format.ts";
import type { KernelsResult, SideName } from "./measure.ts";
import { type KernelName, kernelNames } from "./subjects.ts";

const titles: Readonly<Record<KernelName, string>> = {
  "bins 128": "16 features × 128 bins, ns/row",
  "bins + bank": "bins + e-detector bank on every row, ns/row",
  rff: "256 random Fourier features, ns/row",
  everything: "bins + bank + Fourier features, batches of 1,000, ns/row",
  "everything, 32 rows a call": "the same, 32 rows a call, ns/row",
  "everything, row by row": "the same, a call for each row, ns/row",
  ks: "two-sample KS 10k × 10k, scipy's p exact as by default, µs",
  "ks, limit": "two-sample KS 10k × 10k, scipy's p by the limit as ours, µs",
  mmd2: "quadratic MMD² 1,000², d = 16, ms",
};

const order: readonly SideName[] = ["simd", "scalar", "native", "plain JS", "numpy, scipy"];

/** One ratio of the specification's table: how many times `over` takes what `under` takes. */
interface Ratio {
  readonly kernel: KernelName;
  readonly over: SideName;
  readonly under: SideName;
  readonly wanted: number;
}

/** From the medians of the prototype that the specification gives. */
const wanted: readonly Ratio[] = [
  { kernel: "bins 128", over: "plain JS", under: "simd", wanted: 245 / 129 },
  { kernel: "bins 128", over: "numpy, scipy", under: "simd", wanted: 716 / 129 },
  { kernel: "bins 128", over: "simd", under: "native", wanted: 129 / 62 },
  { kernel: "bins + bank", over: "plain JS", under: "simd", wanted: 605 / 77 },
  { kernel: "bins + bank", over: "scalar", under: "simd", wanted: 343 / 77 },
  { kernel: "rff", over: "plain JS", under: "simd", wanted: 4146 / 195 },
  { kernel: "rff", over: "numpy, scipy", under: "simd", wanted: 158 / 195 },
  { kernel: "rff", over: "scalar", under: "simd", wanted: 913 / 195 },
  { kernel: "rff", over: "simd", under: "native", wanted: 195 / 54 },
  { kernel: "ks", over: "plain JS", under: "simd", wanted: 1646 / 150 },
  { kernel: "ks", over: "numpy, scipy", under: "simd", wanted: 1512 / 150 },
  { kernel: "ks, limit", over: "numpy, scipy", under: "simd", wanted: 597 / 150 },
  { kernel: "ks", over: "simd", under: "native", wanted: 150 / 113 },
  { kernel: "mmd2", over: "plain JS", under: "simd", wanted: 55 / 2.63 },
  { kernel: "mmd2", over: "numpy, scipy", under: "simd", wanted: 13.8 / 2.63 },
  { kernel: "mmd2", over: "scalar", under: "simd", wanted: 10.8 / 2.63 },
  { kernel: "mmd2", over: "simd", under: "native", wanted: 2.63 / 0.75 },
];

const budgets = { nanosAPrediction: 400, wireBytes: 2048, stateBytesAFeature: 700 } as const;

export function kernelsReport(machine: Machine, result: KernelsResult): string {
  const { nanos, wireBytes, stateBytesAFeature, referenceBytesAFeature, left } = result;
  const sides = order.filter((side) => kernelNames.some((kernel) => nanos[kernel][side] !== undefined));
  const prediction = (kernel: KernelName) => nanos[kernel].simd ?? Number.NaN;
  return `# Drift kernels

Written by \`npm run bench --workspace bench -- kernels --write\`; do not edit. What each figure means is in \`../README.md\`.

${machineLine(machine)}
Interleaved rounds, one thread each: the median of the rounds' shortest calls.${left.map((one) => `\nLeft out: ${one}`).join("")}

| budget | wanted | measured | |
|---|---|---|---|
${predictionLine("in ticks of 32 rows, as a busy device counts them", prediction("everything, 32 rows a call"))}
${predictionLine("called row by row", prediction("everything, row by row"))}
| a window of 1,000 rows × 16 features on the wire, bytes, without the joint part | ≤ ${budgets.wireBytes} | ${wireBytes.binsOnly} | ${verdict(wireBytes.binsOnly <= budgets.wireBytes)} |
| the same with the joint part | ≤ ${budgets.wireBytes} | ${wireBytes.all} | ${verdict(wireBytes.all <= budgets.wireBytes)} |
| saved state of a feature, bytes, without the joint part | ≤ ${budgets.stateBytesAFeature} | ${stateBytesAFeature.toFixed(0)} | ${verdict(stateBytesAFeature <= budgets.stateBytesAFeature)} |

A feature's share of the reference is ${referenceBytesAFeature.toFixed(0)} bytes.

| kernel | ${sides.join(" | ")} |
|---|${sides.map(() => "---|").join("")}
${kernelNames.map((kernel) => `| ${titles[kernel]} | ${sides.map((side) => figure(kernel, nanos[kernel][side])).join(" | ")} |`).join("\n")}

| how many times longer | wanted | measured | |
|---|---|---|---|
${wanted.map((ratio) => ratioLine(ratio, nanos)).join("\n")}

Bins and Fourier features of numpy are whole batches of 1,000 rows; \`rff\` of ours is what the joint part adds to a pass over the same rows.
The specification's SIMD figures for bins and bank are of 16 bins; ours counts 128 for both.
`;
}

function predictionLine(how: string, nanos: number): string {
  const most = budgets.nanosAPrediction;
  return `| drift a prediction, ${how}, ns | ≤ ${most} | ${nanos.toFixed(0)} | ${verdict(nanos <= most)} |`;
}

function figure(kernel: KernelName, nanos: number | undefined): string {
  if (nanos === undefined) return "–";
  if (kernel.startsWith("ks")) return (nanos / 1e3).toFixed(0);
  return kernel === "mmd2" ? (nanos / 1e6).toFixed(2) : nanos.toFixed(0);
}

function ratioLine({ kernel, over, under, wanted: least }: Ratio, nanos: KernelsResult["nanos"]): string {
  const title = titles[kernel].replace(/, (ns\/row|µs|ms)$/, "");
  const [above, below] = [nanos[kernel][over], nanos[kernel][under]];
  const name = `| ${title}: ${over} against ${under} | ≥ ${least.toFixed(1)} |`;
  if (above === undefined || below === undefined) return `${name} – | not measured |`;
  return `${name} ${(above / below).toFixed(1)} | ${verdict(above / below >= least)} |`;
}
