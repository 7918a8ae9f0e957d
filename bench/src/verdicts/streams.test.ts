import { expect, test } from "vitest";
import { type Cell, cells, nullOf, streamOf } from "./cells.ts";
import { drawFrom } from "./normal.ts";
import { npyOf } from "./npy.ts";
import { dependences, features } from "./source.ts";

const rows = 20_000;
const cell = (name: string): Cell => cells.find((one) => one.name === name)!;

function column(values: Float32Array, f: number): number[] {
  return Array.from({ length: values.length / features }, (_, i) => values[i * features + f]!);
}
const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const variance = (values: readonly number[]): number => {
  const middle = mean(values);
  return mean(values.map((x) => (x - middle) ** 2));
};
const lag1 = (values: readonly number[]): number =>
  mean(values.slice(1).map((x, i) => x * values[i]!)) / mean(values.map((x) => x * x));

test("normals have the moments of normals", () => {
  const draw = drawFrom([1, 1, 1]);
  const values = Array.from({ length: 100_000 }, () => draw.normal());
  expect(Math.abs(mean(values))).toBeLessThan(0.02);
  expect(variance(values)).toBeCloseTo(1, 1);
  expect(mean(values.map((x) => x ** 4))).toBeCloseTo(3, 0);
});

test("cells have names of their own, each with a null cell, and streams are drawn again alike", () => {
  expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length);
  for (const one of cells) expect(nullOf(one).shift).toBeNull();
  const again = cell("mean-1-one iid 10k");
  expect(streamOf(again, 3, 2100)).toEqual(streamOf(again, 3, 2100));
  expect(streamOf(again, 4, 2100).rows).not.toEqual(streamOf(again, 3, 2100).rows);
});

test.each(dependences)("rows of %s have mean 0, variance 1 and their dependence", (dependence) => {
  const { reference, change, rows: live } = streamOf(cell(`null ${dependence} 1k`), 0, rows);
  expect([reference.length, live.length, change]).toEqual([1000 * features, rows * features, null]);
  const wanted = { iid: 0, "ar.2": 0.2, "ar.5": 0.5, "ar.8": 0.8, seasonal: 0.5 }[dependence];
  for (const f of [0, 7, 15]) {
    const values = column(live, f);
    expect(Math.abs(mean(values))).toBeLessThan(0.1);
    expect(Math.abs(variance(values) - 1)).toBeLessThan(0.1);
    expect(Math.abs(lag1(values) - wanted)).toBeLessThan(0.04);
  }
});

test("shifts do what their names say, from the change on and not before", () => {
  const moments = (name: string, f = 0) => {
    const { rows: all, change } = streamOf(cell(`${name} iid 10k`), 1, rows);
    const [before, after] = [all.subarray(0, change! * features), all.subarray(change! * features)];
    expect(change).toBeGreaterThanOrEqual(1000);
    expect(change).toBeLessThan(2024);
    expect(Math.abs(mean(column(before, f)))).toBeLessThan(0.15);
    return { mean: mean(column(after, f)), variance: variance(column(after, f)), after };
  };
  expect(moments("mean-.25-one").mean).toBeCloseTo(0.25, 1);
  expect(Math.abs(moments("mean-.25-one", 1).mean)).toBeLessThan(0.03);
  expect(moments("mean-1-one").mean).toBeCloseTo(1, 1);
  expect(moments("scale-1.25-one").variance).toBeCloseTo(1.5625, 1);
  expect(moments("mean-.10-all", 9).mean).toBeCloseTo(0.1, 1);
  const stuck = column(moments("stuck-5%-one").after, 0);
  expect(stuck.filter((x) => x === 0).length / stuck.length).toBeCloseTo(0.05, 2);
  // Half of a fifth of the rows is gone: a ninth of the others lies there.
  const thin = column(moments("top-fifth-halved").after, 0);
  expect(thin.filter((x) => x > 0.8416).length / thin.length).toBeCloseTo(1 / 9, 2);
  const tied = moments("correlation-.5").after;
  const [first, second] = [column(tied, 0), column(tied, 1)];
  expect(mean(first.map((x, i) => x * second[i]!))).toBeCloseTo(0.5, 1);
  expect(moments("noise-large-50%").variance).toBeCloseTo(1 + 0.5 * (100 / 75) ** 2, 0);
});

test("NumPy's format: magic, a header that ends where the data begins, rows", () => {
  const bytes = Buffer.from(npyOf(Float32Array.of(1, 2, 3, 4, 5, 6), 3));
  expect([...bytes.subarray(0, 8)]).toEqual([0x93, ...Buffer.from("NUMPY"), 1, 0]);
  const end = 10 + bytes.readUInt16LE(8);
  expect(end % 64).toBe(0);
  expect(bytes.subarray(10, end).toString()).toMatch(
    /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} *\n$/,
  );
  expect(bytes.readFloatLE(end + 20)).toBe(6);
});
