import { expect, test } from "vitest";
import { overlap } from "./overlap.ts";

test("labels overlap where a device may have both, whatever they are called", () => {
  const labels = (given: Record<string, string>) => ({ labels: given });
  expect(overlap(labels({ city: "berlin" }), labels({ city: "lima" }), [])).toBe(false);
  expect(overlap(labels({ city: "berlin" }), labels({ floor: "2" }), [])).toBe(true);
  for (const name of ["constructor", "toString", "__proto__"]) {
    const odd = labels(JSON.parse(`{"${name}": "x"}`));
    expect(overlap(odd, labels({ city: "berlin" }), [])).toBe(true);
    expect(overlap(labels({ city: "berlin" }), odd, [])).toBe(true);
  }
});
