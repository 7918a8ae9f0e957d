/** A quick form of `bench -- rollouts`: our engine keeps what it states, and a rule that promises nothing does not. */
import { describe, expect, test } from "vitest";
import { type Cell, cellsOf, nameOf } from "./cells.ts";
import { wrongOf } from "./report.ts";
import { runRollouts } from "./run-rollouts.ts";

const cellOf = (name: string): Cell => {
  const found = cellsOf().find((cell) => nameOf(cell) === name);
  if (!found) throw new Error(`no cell ${name}`);
  return found;
};

test("each cell has a name of its own, and twenty of them are crossed", () => {
  const cells = cellsOf();
  expect(new Set(cells.map(nameOf)).size).toBe(cells.length);
  expect(cells.length).toBe(9 * 3 + 20);
});

describe("wrong promotions and wrong rollbacks, looked at every hour, are no more than stated", () => {
  test.each(["20 devices, 60/h, effect 0", "20 devices, 60/h, effect 1, uneven", "3 devices, 60/h, effect 5"])(
    "%s",
    (name) => {
      const cell = cellOf(name);
      const { vedette } = runRollouts(cell, 60);
      // 5 % of 60 are 3; of what keeps it, 7 or more come once in 300.
      expect(wrongOf(cell, vedette)).toBeLessThan(7);
      expect(vedette.every(({ said }) => said !== "undecided")).toBe(true);
    },
  );
});

test("devices that are away, late or many hold up no good version, and a bad one hardly answers anybody", () => {
  const all = (name: string) => runRollouts(cellOf(name), 5).vedette;
  for (const { said, reached = 0 } of all("200 devices, 60/h, effect 0")) {
    expect(said).toBe("promote");
    // All but those who had not joined yet.
    expect(reached).toBeGreaterThan(0.85);
  }
  for (const one of all("20 devices, 60/h, effect 0, 30 % offline")) expect(one.said).toBe("promote");
  for (const one of all("20 devices, 60/h, effect 5, 30 % offline"))
    expect(one).toMatchObject({ said: "rollback", reached: 0 });
});

test("a fixed threshold lets a version pass that fails on some devices of a small fleet", () => {
  const cell = cellOf("3 devices, 600/h, effect 1, uneven");
  const outcomes = runRollouts(cell, 40);
  expect(wrongOf(cell, outcomes["Flagger's threshold"])).toBeGreaterThan(10);
  expect(wrongOf(cell, outcomes.vedette)).toBeLessThan(6);
});
