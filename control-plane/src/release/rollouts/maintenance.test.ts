import type { RolloutPolicy } from "@vedette/protocol/rollout";
import { expect, test } from "vitest";
import { inWindow } from "./maintenance.ts";

const all = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const windowOf = (over: Partial<NonNullable<RolloutPolicy["window"]>>) => ({
  ...{ days: [...all], from: "02:00", until: "04:00", zone: "UTC" },
  ...over,
});
const at = (text: string) => Date.parse(text);

test("[R17] a window is of the device's zone, of the policy's where the label names none, and its end is not in it", () => {
  const window = windowOf({});
  const now = at("2026-01-05T02:00:00Z");
  expect(inWindow(window, {}, now)).toBe(true);
  expect(inWindow(window, {}, now - 1)).toBe(false);
  expect(inWindow(window, {}, at("2026-01-05T04:00:00Z"))).toBe(false);
  expect(inWindow(window, { tz: "Asia/Tokyo" }, now)).toBe(false);
  expect(inWindow(window, { tz: "Asia/Tokyo" }, at("2026-01-05T17:30:00Z"))).toBe(true);
  expect(inWindow(window, { tz: "Mars/Olympus" }, now)).toBe(true);
  expect(inWindow(null, {}, now)).toBe(true);
});

test("[R17] a window over midnight is of the day on which it began; one that ends as it begins is the whole day", () => {
  const friday = windowOf({ days: ["fri"], from: "22:00", until: "03:00" });
  expect(inWindow(friday, {}, at("2026-01-09T23:00:00Z"))).toBe(true);
  expect(inWindow(friday, {}, at("2026-01-10T02:59:00Z"))).toBe(true);
  expect(inWindow(friday, {}, at("2026-01-09T02:00:00Z"))).toBe(false);
  expect(inWindow(friday, {}, at("2026-01-10T22:30:00Z"))).toBe(false);
  const sunday = windowOf({ days: ["sun"], from: "00:00", until: "00:00" });
  expect(inWindow(sunday, {}, at("2026-01-11T13:00:00Z"))).toBe(true);
  expect(inWindow(sunday, {}, at("2026-01-12T00:00:00Z"))).toBe(false);
});

test("[R17] the clock on the wall counts, also where summer time begins", () => {
  const berlin = windowOf({ zone: "Europe/Berlin", from: "03:00", until: "03:30" });
  // On 29 March 2026 it is 03:00 an hour after 01:59.
  expect(inWindow(berlin, {}, at("2026-03-29T01:10:00Z"))).toBe(true);
  expect(inWindow(berlin, {}, at("2026-03-28T02:10:00Z"))).toBe(true);
});
