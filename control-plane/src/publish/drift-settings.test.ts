import { expect, test } from "vitest";
import { addDriftSetting } from "./drift-settings.ts";

test("settings add up; what is none is refused by name", () => {
  const all = ["on-critical=fallback", "critical=0.5", "arl=1e7", "window-seconds=600"];
  expect(all.reduce((before, text) => addDriftSetting(text, before), {})).toEqual({
    onCritical: "fallback",
    critical: 0.5,
    arl: 1e7,
    windowSeconds: 600,
  });
  for (const wrong of ["fallback", "on-critical=panic", "critical=2", "critical=", "arl=many", "toString=1"])
    expect(() => addDriftSetting(wrong)).toThrow(/--drift/);
});
