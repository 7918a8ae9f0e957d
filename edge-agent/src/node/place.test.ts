import { cp, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openFsStorage } from "./fs-storage.ts";

test("[P11] a folder is where it was after a restart and a renaming, and elsewhere as a copy", async () => {
  const root = await mkdtemp(join(tmpdir(), "vedette-place-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const home = join(root, "home");
  const { place } = await openFsStorage(home);
  expect(place).toBeDefined();
  await writeFile(join(home, "more"), "1");
  expect((await openFsStorage(home)).place).toBe(place);
  await cp(home, join(root, "copy"), { recursive: true, preserveTimestamps: true });
  expect((await openFsStorage(join(root, "copy"))).place).not.toBe(place);
  await rename(home, join(root, "renamed"));
  expect((await openFsStorage(join(root, "renamed"))).place).toBe(place);
});
