/**
 * What changes in a stream. Those of the delays table in the drift specification, and those of Rabanser et al. (Failing Loudly,
 * NeurIPS 2019) that need no image: Gaussian noise and knocked-out classes, by strength and by share of the rows.
 */
import type { Draw } from "./normal.ts";
import { features, type Population } from "./source.ts";

export interface Shift {
  readonly name: string;
  /** As a person reads it in a table. */
  readonly title: string;
  readonly population: Population;
  /** Changes the row where it lies; false where the row is not seen at all, and the next one comes in its place. */
  apply(row: Float64Array, label: number, draw: Draw): boolean;
}

/** The upper fifth of a standard normal begins here. */
const topFifth = 0.8416212335729143;

type Change = Shift["apply"];

const one = (change: (x: number, draw: Draw) => number): Change => {
  return (row, _label, draw) => {
    row[0] = change(row[0]!, draw);
    return true;
  };
};
const all = (change: (x: number) => number): Change => {
  return (row) => {
    for (let f = 0; f < features; f++) row[f] = change(row[f]!);
    return true;
  };
};
/** Noise as strong as `sigma` standard deviations on every feature of a `share` of the rows. */
const noise = (sigma: number, share: number): Change => {
  return (row, _label, draw) => {
    if (draw.uniform() < share) for (let f = 0; f < features; f++) row[f] = row[f]! + sigma * draw.normal();
    return true;
  };
};
const knockOut = (share: number): Change => {
  return (_row, label, draw) => label !== 0 || draw.uniform() >= share;
};

const gaussian = (name: string, title: string, apply: Change): Shift => ({
  name,
  title,
  population: "gaussian",
  apply,
});
const classed = (name: string, title: string, apply: Change): Shift => ({ name, title, population: "classes", apply });

/** Rabanser's noise has 1, 10 and 100 of 255 grey values; pixels of their images deviate by about 75. */
const [small, medium, large] = [1 / 75, 10 / 75, 100 / 75];

export const shifts: readonly Shift[] = [
  gaussian(
    "mean-.25-one",
    "mean .25σ in one feature",
    one((x) => x + 0.25),
  ),
  gaussian(
    "mean-1-one",
    "mean 1σ in one",
    one((x) => x + 1),
  ),
  gaussian(
    "scale-1.25-one",
    "scale ×1.25 in one",
    one((x) => 1.25 * x),
  ),
  gaussian(
    "stuck-5%-one",
    "stuck 5 % in one",
    one((x, draw) => (draw.uniform() < 0.05 ? 0 : x)),
  ),
  gaussian(
    "top-fifth-halved",
    "knockout of half the top fifth",
    (row, _label, draw) => row[0]! < topFifth || draw.uniform() < 0.5,
  ),
  gaussian(
    "mean-.10-all",
    "mean .10σ in all 16",
    all((x) => x + 0.1),
  ),
  gaussian("correlation-.5", "two features correlated .5, margins unmoved", (row) => {
    row[1] = 0.5 * row[0]! + Math.sqrt(0.75) * row[1]!;
    return true;
  }),
  classed("noise-small", "small noise on all rows", noise(small!, 1)),
  classed("noise-medium-10%", "medium noise on 10 %", noise(medium!, 0.1)),
  classed("noise-medium", "medium noise on all rows", noise(medium!, 1)),
  classed("noise-large-10%", "large noise on 10 %", noise(large!, 0.1)),
  classed("noise-large-50%", "large noise on 50 %", noise(large!, 0.5)),
  classed("class-out-50%", "half of a class knocked out", knockOut(0.5)),
  classed("class-out", "a class knocked out", knockOut(1)),
  classed("noise-and-class-out", "medium noise on 50 %, half of a class out", (row, label, draw) => {
    return knockOut(0.5)(row, label, draw) && noise(medium!, 0.5)(row, label, draw);
  }),
];
