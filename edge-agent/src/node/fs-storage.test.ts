import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { codeOf } from "@vedette/protocol/errors";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFsStorage } from "./fs-storage.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "vedette-storage-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test("reads back what was written, lists sorted, removes, and says nothing where there is nothing", async () => {
  const storage = await openFsStorage(root);
  expect(await storage.read("a/b")).toBeUndefined();
  expect(await storage.list("a")).toEqual([]);
  await storage.write("a/c", utf8("one"));
  await storage.write("a/b", utf8("two"));
  await storage.write("a/b", utf8("three"));
  expect(fromUtf8((await storage.read("a/b")) ?? new Uint8Array())).toBe("three");
  expect(await storage.list("a")).toEqual(["b", "c"]);
  await storage.remove("a/b");
  await storage.remove("a/never");
  expect(await storage.list("a")).toEqual(["c"]);
});

test("appends add up over openings", async () => {
  const storage = await openFsStorage(root);
  for (const text of ["one ", "two ", "three"]) {
    const file = await storage.append("spool/log");
    file.append(utf8(text));
    await file.sync();
    await file.close();
  }
  expect(fromUtf8((await storage.read("spool/log")) ?? new Uint8Array())).toBe("one two three");
});

test("the boot id is the same for as long as the machine runs", async () => {
  const [one, two] = await Promise.all([openFsStorage(root), openFsStorage(root)]);
  expect(one.bootId).toBe(two.bootId);
  expect(one.bootId.length).toBeGreaterThan(4);
});

test("no name leads out of the folder", async () => {
  const storage = await openFsStorage(join(root, "inside"));
  await writeFile(join(root, "outside"), "secret");
  const named = ["../outside", "a/../../outside", "/etc/passwd", "", ".", "a//b", "a/", "a\\b", "a\0b", ".tmp-x"];
  for (const path of named) expect(await refusal(() => storage.read(path)), path).toBe("invalid_argument");
  const odd = fc.string().filter((text) => !/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(text));
  await fc.assert(
    fc.asyncProperty(odd, async (path) => {
      expect(await refusal(() => storage.write(path, utf8("x")))).toBe("invalid_argument");
    }),
  );
});

test("a folder where a file should be is a storage failure with the place", async () => {
  const storage = await openFsStorage(root);
  await storage.write("a/b", utf8("x"));
  await expect(storage.read("a")).rejects.toMatchObject({
    code: "storage_failed",
    message: expect.stringContaining(root),
  });
});

test("what a power failure left half-written is never listed, and swept at the next start", async () => {
  const storage = await openFsStorage(root);
  await storage.write("a/b", utf8("x"));
  await writeFile(join(root, "a/.tmp-0123-c"), "hal");
  expect(await storage.list("a")).toEqual(["b"]);
  await openFsStorage(root);
  expect(await readdir(join(root, "a"))).toEqual(["b"]);
});

test("a killed process leaves whole files, and every append it made", async () => {
  const script = fileURLToPath(new URL("../../test/node/append-until-killed.ts", import.meta.url));
  for (const afterLines of [1, 7, 23]) {
    const folder = join(root, `run-${afterLines}`);
    const child = spawn(process.execPath, [script, folder], { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout.on("data", (text) => {
      printed += text;
      if (printed.split("\n").length > afterLines) child.kill("SIGKILL");
    });
    await new Promise((resolve) => child.on("close", resolve));
    const last = Number(printed.trimEnd().split("\n").at(-1));
    const storage = await openFsStorage(folder);
    const state = JSON.parse(fromUtf8((await storage.read("state/pins.json")) ?? new Uint8Array()));
    expect(state.n).toBeGreaterThanOrEqual(last);
    expect(state.filler).toHaveLength(20_000);
    expect((await storage.read("spool/log"))?.length).toBeGreaterThanOrEqual(8 * (last + 1));
    expect(await storage.list("state")).toEqual(["pins.json"]);
  }
});

const refusal = (work: () => Promise<unknown>) => work().then(() => "accepted", codeOf);
