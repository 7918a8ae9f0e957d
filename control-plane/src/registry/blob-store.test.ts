import { createHash } from "node:crypto";
import { mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "@vedette/protocol/bytes";
import { beforeEach, expect, test } from "vitest";
import { openBlobStore } from "./blob-store.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vedette-blobs-"));
});
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("keeps bytes by their name, over a restart", async () => {
  const bytes = utf8("a chunk");
  const store = await openBlobStore(folder);
  await Promise.all([store.put(sha256(bytes), bytes), store.put(sha256(bytes), bytes)]);
  const again = await openBlobStore(folder);
  expect(await again.get(sha256(bytes))).toEqual(bytes);
  expect(await again.has(sha256(bytes))).toBe(true);
  expect(await again.has(sha256(utf8("another")))).toBe(false);
  expect(await again.get(sha256(utf8("another")))).toBeUndefined();
});

test("refuses bytes of another name and leaves nothing behind", async () => {
  const store = await openBlobStore(folder);
  await expect(store.put(sha256(utf8("a")), utf8("b"))).rejects.toMatchObject({ code: "digest_mismatch" });
  expect(await readdir(folder)).toEqual(["drafts"]);
});

test("a draft that a crash left is swept", async () => {
  await openBlobStore(folder);
  await writeFile(join(folder, "drafts", "half"), "ha");
  await openBlobStore(folder);
  expect(await readdir(join(folder, "drafts"))).toEqual([]);
});

test("no name becomes a path outside", async () => {
  const store = await openBlobStore(folder);
  await expect(store.get("../../etc/passwd")).rejects.toThrow();
});
