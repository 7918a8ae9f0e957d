import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import { emptyLake } from "../test/empty-lake.ts";
import { startSite } from "../test/site.ts";
import { storageFault } from "./storage-fault.ts";

test.each([
  [
    "the file system",
    Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }),
    "is full",
  ],
  [
    "SQLite, within another error",
    new Error("Failed query", { cause: new Error("database or disk is full") }),
    "is full",
  ],
  ["DuckDB", new Error('IO Error: Could not write file "x": No space left on device'), "is full"],
  ["a disk that fails", new Error("disk I/O error"), "fails"],
])("%s is told as storage_failed, with what to do", (_, error, what) => {
  expect(storageFault(error)).toMatchObject({ code: "storage_failed", message: expect.stringContaining(what) });
});

test("other errors stay what they are", () => {
  const other = new VedetteError("busy", "later");
  expect(storageFault(other)).toBe(other);
});

test("over HTTP a full disk is said, and is not something that went wrong", async () => {
  const site = await startSite({
    parts: {
      openLake: emptyLake({ lake: { flush: () => Promise.reject(new Error("database or disk is full")) } }),
    },
  });
  expect(await site.call("POST", "/v1/predictions/flush")).toMatchObject({
    status: 500,
    body: { error: { code: "storage_failed", message: expect.stringContaining("free some space") } },
  });
});
