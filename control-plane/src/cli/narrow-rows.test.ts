import { expect, it } from "vitest";
import { narrow } from "./narrow-rows.ts";
import { table } from "./table.ts";

const columns = ["id", "agent", "version", "digest", "time", "source", "reason", "confidence", "label"];
const row = [
  "pump-1.pump.0a.12345",
  "pump-1",
  12_345,
  "ab".repeat(32),
  "2026-01-02T03:04:05.678Z",
  "model",
  null,
  0.123456,
  "no",
];
const inputs = Array.from({ length: 20 }, (_, i) => `in_field_${i}`);
const wide = { columns: [...columns, ...inputs], rows: [[...row, ...inputs.map((_, i) => i + 0.123456)]] };

it("shows what is asked most in 120 columns, and names the rest", () => {
  const shown = narrow(wide);
  const text = table(shown.columns, shown.rows);
  expect(text).toMatch(/^ID +TIME +VERSION +SOURCE +CONFIDENCE +LABEL +IN_FIELD_0 +IN_FIELD_1/);
  expect(text).toMatch(/2026-01-02 03:04:05 +12345 +model +0\.1235 +no +0\.1235 +1\.123/);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
  expect(shown.hidden).toContain("agent");
  expect(shown.hidden).toContain("in_field_19");
  // It says nothing, and is not missed.
  expect(shown.hidden).not.toContain("reason");
});

it("has room for the digest where there are few inputs, and shows nothing of nothing", () => {
  expect(narrow({ columns, rows: [row] }).rows[0]?.at(-1)).toBe("abababab");
  expect(narrow({ columns, rows: [] })).toEqual({ columns: [], rows: [], hidden: [] });
});
