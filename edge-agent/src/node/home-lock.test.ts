import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readBootId } from "./boot-id.ts";
import { lockHome } from "./home-lock.ts";
import { openNodeAgent } from "./node-agent.ts";

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
  for (const text of [
    JSON.stringify({ pid: 1, bootId: "earlier" }),
    JSON.stringify({ pid: process.pid, bootId: "boot" }),
    "dam",
  ]) {
    await writeFile(join(home, "agent.lock"), text);
    await lockHome(home, "boot");
    // It is this process's now.
    await expect(lockHome(home, "boot")).rejects.toMatchObject({ code: "conflict" });
  }
});

test("of many that find a dead lock at once, one takes it; also where the last to replace one was killed at it", async () => {
  for (let round = 0; round < 30; round++) {
    await held(1, "earlier");
    if (round % 2) await writeFile(join(home, "agent.lock.replacing"), JSON.stringify({ pid: 1, bootId: "earlier" }));
    const takers = await Promise.allSettled(Array.from({ length: 6 }, () => lockHome(home, "boot")));
    const won = takers.flatMap((taker) => (taker.status === "fulfilled" ? [taker.value] : []));
    expect(won).toHaveLength(1);
    await expect(lockHome(home, "boot")).rejects.toMatchObject({ code: "conflict" });
    await won[0]?.();
    expect(await readdir(home)).toEqual([]);
  }
});

test("an agent that finds its folder in use leaves what the other is just writing", async () => {
  const unlock = await lockHome(home, await readBootId());
  await mkdir(join(home, "store"));
  await writeFile(join(home, "store", ".tmp-half-written"), "");
  await expect(openNodeAgent({ home })).rejects.toMatchObject({ code: "conflict" });
  expect(await readdir(join(home, "store"))).toEqual([".tmp-half-written"]);
  await unlock();
});

test("a folder that is made here is its owner's alone", async () => {
  await lockHome(join(home, "new"), "boot");
  expect((await stat(join(home, "new"))).mode & 0o777).toBe(0o700);
});
