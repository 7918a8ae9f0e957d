import { expect, test } from "vitest";
import { duration, moment, version } from "./option-values.ts";

test("a duration is a whole number of ms that leads to a moment", () => {
  expect([duration("1ms"), duration("1.5s"), duration("90d")]).toEqual([1, 1500, 90 * 86_400_000]);
  expect(new Date(Date.now() + duration("36525d")).toISOString()).toMatch(/^2\d{3}-/);
  for (const text of ["0s", "0.1ms", "999999999d", `${"9".repeat(400)}d`, "-1h", "1e3s", "1 h", "h", ""]) {
    expect(() => duration(text), text).toThrow("hundred years at most");
  }
});

test("a day that there is not is refused, and none that follows is taken for it", () => {
  expect(moment("2028-02-29")).toBe("2028-02-29T00:00:00.000Z");
  expect(moment("2027-01-31T23:30:00-05:45")).toBe("2027-02-01T05:15:00.000Z");
  for (const text of [
    "2026-02-29",
    "2026-02-31",
    "2026-04-31T10:00:00Z",
    "2026-13-01",
    "9999-12-31T23:59:59-11:00",
    "1",
  ])
    expect(() => moment(text), text).toThrow("Write a day as 2027-01-31");
});

test("a version is a number from 1", () => {
  expect(version("3")).toBe(3);
  for (const text of ["0", "-1", "1.5", "9007199254740991"]) expect(() => version(text), text).toThrow("whole number");
});
