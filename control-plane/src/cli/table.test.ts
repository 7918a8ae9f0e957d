import { expect, it } from "vitest";
import { show, table } from "./table.ts";

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
