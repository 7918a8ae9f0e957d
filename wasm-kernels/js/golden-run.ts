/** One fixed run through every function of the kernels. Portable, so that Node and a browser can be held to one hash of it. */
import { utf8 } from "@vedette/protocol/bytes";
import type { FeatureSpec, Kernels } from "./index.ts";

/** SHA-256 of all bytes of the run, as KERNEL_ABI 2 computes them. A change here is a change of abi. */
export const goldenAbi2 = "82111ec402888e4c6176027ce7d41f98e21a2ce3609faab31ee6bec634da57ab";

const features: readonly FeatureSpec[] = [
  { name: "bell", kind: "number" },
  { name: "skewed", kind: "number" },
  { name: "two values", kind: "number" },
  { name: "few values", kind: "number" },
  { name: "any bits", kind: "number" },
  { name: "nearly constant", kind: "number" },
  { name: "category", kind: "category", known: 5 },
  { name: "remembers", kind: "number" },
];
const d = features.length;

/** Hands over the bytes of references, snapshots, saved states, banks and reports, in order. */
export function goldenRun(kernels: Kernels, take: (bytes: Uint8Array) => void): void {
  const random = xorshift(2463534242);
  const told = (value: unknown) => tell(value, take);
  const train = table(random, 3000, 0);
  const builder = kernels.newReferenceBuilder(features, { seed: 7 });
  builder.sample(train);
  builder.count(train);
  const bytes = builder.finish();
  take(bytes);
  // The same without what makes rows incomplete, so that the joint part takes most of them.
  const plain = kernels.openReference(kernels.buildReference(["a", "b", "c"], columns(train, [0, 1, 7])));
  const reference = kernels.openReference(bytes);
  told([reference.hash, reference.lags, reference.tolerance, plain.hash, plain.lags]);
  for (const [one, pick] of [
    [reference, undefined],
    [plain, [0, 1, 7]],
  ] as const) {
    const whole = one.newState({ alpha: 0.2, threshold: 100 });
    const fleet = one.newFleetBank({ deadZone: 0.01 });
    for (const [rows, shift] of [
      [0, 0],
      [1, 0],
      [2, 1],
      [60, 0],
      [997, 0.4],
      [5000, 0.05],
    ] as const) {
      const live = table(random, rows, shift);
      let state = one.newState({ lag: 1 + (rows % 3), deadZone: 0 });
      state.observe(pick ? columns(live, pick) : live);
      whole.merge(state.snapshot());
      fleet.step([state.snapshot(), whole.snapshot()], { capRows: 500 });
      take(state.save());
      state = one.restore(state.save());
      state.roll();
      state.observe(pick ? columns(train, pick) : train);
      for (const each of [state, whole]) {
        take(each.snapshot());
        told(each.report());
      }
      take(fleet.save());
      told(fleet.report());
    }
  }
  const [x, y] = [0, 0.3].map((shift) => Float64Array.from(columns(table(random, 700, shift), [0]))) as [
    Float64Array,
    Float64Array,
  ];
  told(kernels.ksTwoSample(x, y));
  told(
    kernels.ksTwoSample(
      x,
      Float64Array.from([...y, ...y, ...x], (value) => value / 3),
    ),
  );
  told(kernels.wasserstein1(x, y));
  told(kernels.mmd2(Float32Array.from(x), Float32Array.from(y), 7, 0.4));
  told(kernels.divergences(x.subarray(0, 90).map(Math.abs), y.subarray(0, 90).map(Math.abs)));
  told(kernels.chi2Test([Array.from(x.subarray(0, 9), Math.abs), Array.from(y.subarray(0, 9), Math.abs)]));
}

/** Every number by its bits, every text by its letters. */
function tell(value: unknown, take: (bytes: Uint8Array) => void): void {
  if (typeof value === "number") take(new Uint8Array(Float64Array.of(value).buffer));
  else if (typeof value === "object" && value !== null) for (const each of Object.values(value)) tell(each, take);
  else take(utf8(String(value)));
}

function columns(rows: Float32Array, picked: readonly number[]): Float32Array {
  const n = rows.length / d;
  return Float32Array.from(
    { length: n * picked.length },
    (_, i) => rows[Math.floor(i / picked.length) * d + picked[i % picked.length]!]!,
  );
}

/** Rows of all kinds of column: see `features`; the last is a random walk that is pulled back. */
function table(random: () => number, rows: number, shift: number): Float32Array {
  const out = new Float32Array(rows * d);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < rows * d; i += d) {
    out[i] = random() + random() + random() + random() - 2 + shift;
    out[i + 1] = 1 / (0.01 + random()) + shift;
    out[i + 2] = random() < 0.3 + shift / 2 ? 1 : -0;
    out[i + 3] = random() < 0.1 ? Number.NaN : Math.floor(random() * 7 + shift);
    bits[i + 4] = random() * 2 ** 32;
    out[i + 5] = random() < 0.99 - shift / 8 ? 42 : random() * 1e-40;
    out[i + 6] = random() < 0.02 ? Number.NaN : Math.floor(random() * random() * 6 + 3 * shift);
    out[i + 7] = 0.75 * (i > 0 ? out[i - d + 7]! : 0) + random() - 0.5 + shift;
  }
  return out;
}

/** Marsaglia's xorshift32 as uniform numbers in [0, 1): integers only, so every engine draws alike. */
function xorshift(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}
