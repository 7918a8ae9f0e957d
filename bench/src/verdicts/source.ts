/** Where rows come from while nothing changes: sixteen features of mean 0 and variance 1, in five kinds of dependence. */
import type { Draw } from "./normal.ts";

/** Features of every stream. */
export const features = 16;

/** How a row depends on those before it. */
export const dependences = ["iid", "ar.2", "ar.5", "ar.8", "seasonal"] as const;
export type Dependence = (typeof dependences)[number];

/** Whether the features are independent, or come from ten classes of rows with centres of their own. */
export type Population = "gaussian" | "classes";

/** Rows of one season. */
const season = 100;

/** Writes the next row into `row` and says of which class it is (0 where there are none). */
export type Source = (row: Float64Array) => number;

/** @param draw of this source alone: what it draws before does not depend on what others take. */
export function sourceOf(population: Population, dependence: Dependence, draw: Draw): Source {
  if (population === "classes") return classes(draw);
  if (dependence === "seasonal") return seasonal(draw);
  return autoregressive(dependence === "iid" ? 0 : Number(dependence.slice(2)), draw);
}

/** x ← ρx + √(1−ρ²)·z: correlation ρ^k at lag k, variance 1 from the first row on. */
function autoregressive(rho: number, draw: Draw): Source {
  const last = Float64Array.from({ length: features }, () => draw.normal());
  const noise = Math.sqrt(1 - rho * rho);
  return (row) => {
    for (let f = 0; f < features; f++) row[f] = last[f] = rho * last[f]! + noise * draw.normal();
    return 0;
  };
}

/** Half of the variance is a sine of its own phase, which no thinning decorrelates; half is noise. */
function seasonal(draw: Draw): Source {
  const phase = Float64Array.from({ length: features }, (_, f) => (2 * Math.PI * f) / features);
  // The first row falls anywhere in the season.
  let at = Math.floor(draw.uniform() * season);
  return (row) => {
    const angle = (2 * Math.PI * at++) / season;
    for (let f = 0; f < features; f++) row[f] = Math.sin(angle + phase[f]!) + Math.SQRT1_2 * draw.normal();
    return 0;
  };
}

/** Ten equally frequent classes, told apart by half of the variance: as a labelled table, or what a network makes of images. */
function classes(draw: Draw): Source {
  return (row) => {
    const label = Math.floor(draw.uniform() * 10);
    for (let f = 0; f < features; f++) row[f] = Math.SQRT1_2 * (centre(label, f) + draw.normal());
    return label;
  };
}

const centre = (label: number, f: number): number => centres[label * features + f]!;

/** Fixed for all streams: each feature's ten centres are normal quantiles in an order of its own, so mean 0 and variance about 1. */
const centres: readonly number[] = (() => {
  const quantiles = [-1.6449, -1.0364, -0.6745, -0.3853, -0.1257, 0.1257, 0.3853, 0.6745, 1.0364, 1.6449];
  return Array.from({ length: 10 * features }, (_, i) => {
    const label = Math.floor(i / features);
    const f = i % features;
    // Steps coprime to ten permute the classes; the offset makes orders differ where the step is the same.
    const step = [1, 3, 7, 9][f % 4]!;
    return quantiles[(label * step + 3 * Math.floor(f / 4)) % 10]!;
  });
})();
