import { lacksMemoryFor } from "@vedette/protocol/capability";
import { expect, test } from "vitest";
import { pageMemory } from "./page-memory.ts";

test("[A15] a page has what WebAssembly addresses, and no more than its machine: two versions must fit together", () => {
  expect([pageMemory(undefined), pageMemory(8), pageMemory(0.5)]).toEqual([2 ** 32, 2 ** 32, 2 ** 29]);
  const limit = 300 * 2 ** 20;
  expect(lacksMemoryFor([limit], limit, pageMemory(1))).toBeNull();
  expect(lacksMemoryFor([limit], limit, pageMemory(0.5))).toBe(
    "lacks memory for both: up to 300 MiB beside 300 MiB (has 512 MiB)",
  );
});
