import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockHome } from "./home-lock.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-lock-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));
const held = (pid: number | undefined, bootId: string) =>
  writeFile(join(home, "agent.lock"), JSON.stringify({ pid, bootId }));

test("a living process keeps the folder, and its end frees it", async () => {
  const other = spawn("sleep", ["60"]);
  await held(other.pid, "boot");
  await expect(lockHome(home, "boot")).rejects.toMatchObject({
    code: "conflict",
    message: new RegExp(`process ${other.pid}`),
  });
  other.kill("SIGKILL");
  await new Promise((resolve) => other.on("close", resolve));
  const unlock = await lockHome(home, "boot");
  expect(await readdir(home)).toEqual(["agent.lock"]);
  await unlock();
  expect(await readdir(home)).toEqual([]);
});

test("a lock of an earlier boot, of this very pid, or damaged, is none", async () => {
  await held(1, "earlier");
  await lockHome(home, "boot");
  await held(process.pid, "boot");
  await lockHome(home, "boot");
  await writeFile(join(home, "agent.lock"), "dam");
  await lockHome(home, "boot");
});

test("a folder that is made here is its owner's alone", async () => {
  await lockHome(join(home, "new"), "boot");
  expect((await stat(join(home, "new"))).mode & 0o777).toBe(0o700);
});
