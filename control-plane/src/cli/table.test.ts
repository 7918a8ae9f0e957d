import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { show, table, tableWithin } from "./table.ts";

it("lines columns up, and shows what is not there as a dash", () => {
  expect(
    table(
      ["name", "n"],
      [
        ["a", 1],
        ["long name", null],
      ],
    ),
  ).toBe("NAME       N\na          1\nlong name  -\n");
});

it("lets no cell rewrite the terminal", () => {
  expect(show("\u001b[2Jgone\r\n")).toBe("�[2Jgone��");
});

it("shortens fractions, not whole numbers", () => {
  expect(show(0.123456789)).toBe("0.123457");
  expect(show(123456789)).toBe("123456789");
});

describe("a last column of text", () => {
  const columns = ["id", "who", "detail"];
  const why = "a reason of some length; and what follows from it";
  const rows = [
    [1, "ada", why],
    [22, "ben", null],
  ];

  it("is one line wherever it fits, or goes to no terminal", () => {
    expect(tableWithin(columns, rows, null)).toBe(table(columns, rows));
    expect(tableWithin(columns, rows, 9 + why.length)).toBe(table(columns, rows));
  });

  it("is broken between words beside the others where there is room, else below them", () => {
    expect(tableWithin(columns, rows, 49)).toBe(`ID  WHO  DETAIL
1   ada  a reason of some length; and what
         follows from it
22  ben  -
`);
    expect(tableWithin(columns, rows, 30)).toBe(`ID  WHO
    DETAIL
1   ada
    a reason of some length;
    and what follows from it
22  ben
`);
  });

  it("keeps every word whole, and within the width where it can be", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,30}$/), { minLength: 1 }),
        fc.integer({ min: 1, max: 90 }),
        (words, width) => {
          const drawn = tableWithin(columns, [[1, "ada", words.join(" ")]], width);
          expect(drawn.split(/\s+/)).toEqual(["ID", "WHO", "DETAIL", "1", "ada", ...words, ""]);
          const most = Math.max(width, 4 + Math.max("DETAIL".length, ...words.map((word) => word.length)));
          for (const line of drawn.split("\n")) expect(line.length).toBeLessThanOrEqual(most);
        },
      ),
    );
  });
});

it("a table of a large fleet has no most rows", () => {
  const rows = Array.from({ length: 200_000 }, (_, i) => [i, "x"]);
  expect(table(["a", "b"], rows)).toMatch(/199999 {2}x\n$/);
});
