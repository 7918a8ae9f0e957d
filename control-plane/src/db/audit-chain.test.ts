import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { vedetteOf } from "../../test/commands.ts";
import { enroll, initialiseTrust, startSite } from "../../test/site.ts";

/** A site with some history, stopped, its database changed, and started again. */
async function tampered(sql: string) {
  const folder = await mkdtemp(join(tmpdir(), "vedette-audit-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const site = await startSite();
  await copyFile(join(site.home, "operator.token"), join(folder, "operator.token"));
  await initialiseTrust(site);
  for (const agent of ["gauge-1", "gauge-2", "gauge-3"]) await enroll(site, agent);
  const before = (await vedetteOf(site, folder)("audit", "verify", "--json")).json() as { head: string };
  await site.close();
  const database = new DatabaseSync(join(site.home, "data", "vedette.db"));
  database.exec(sql);
  database.close();
  const again = await startSite({ home: site.home });
  return { ...before, vedette: vedetteOf(again, folder) };
}

test.each([
  ["changed", "UPDATE audit SET actor = 'nobody' WHERE id = 4"],
  [
    "changed in its detail",
    `UPDATE audit SET detail = replace(detail, '"uses":1', '"uses":9') WHERE action = 'token.create'`,
  ],
  ["dropped", "DELETE FROM audit WHERE id = 4"],
  ["dropped at the beginning", "DELETE FROM audit WHERE id = 1"],
  ["slipped in", "UPDATE audit SET id = 99 WHERE id = 3"],
  ["without its hash", "UPDATE audit SET hash = '' WHERE id = 4"],
])("[R23] an entry that was %s is found", async (_, sql) => {
  const { vedette } = await tampered(sql);
  expect(await vedette("audit", "verify")).toMatchObject({ code: 2, err: expect.stringContaining("does not follow") });
});

test.each([
  ["no JSON", "detail = 'nonsense'"],
  ["no object", "detail = '[1]'"],
  ["no number", `detail = replace(detail, '{', '{"a":1e400,')`],
  ["no moment", "at = 'noon'"],
  ["a moment after all dates", "at = 9e15"],
  ["a moment after all numbers", "at = 1e300"],
  ["bytes", "actor = x'00ff'"],
])("[R23] an entry made unreadable (%s) is found by its number, and hides no other", async (_, set) => {
  const { vedette } = await tampered(`UPDATE audit SET ${set} WHERE id = 4`);
  expect(await vedette("audit", "verify")).toMatchObject({
    code: 2,
    err: expect.stringContaining("audit entry 4 does not follow"),
  });
  const list = await vedette("audit", "list", "--json");
  const { entries } = list.json() as { entries: { id: number; action: string }[] };
  expect(entries.map(({ id }) => id)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  expect((await vedette("audit", "list")).out).toMatch(/^8 .*\n(.*\n)*1 /m);
});

test("[R23] a head that was noted tells a chain that was cut short or made anew", async () => {
  const { vedette, head } = await tampered("DELETE FROM audit WHERE id > 5");
  expect(await vedette("audit", "verify")).toMatchObject({ code: 0 });
  expect(await vedette("audit", "verify", "--head", head)).toMatchObject({
    code: 2,
    err: expect.stringContaining("made anew"),
  });
  expect(await vedette("audit", "verify", "--head", "nonsense")).toMatchObject({ code: 1 });
});

test("[R23] a whole chain verifies, also one that an older version began without hashes", async () => {
  const { vedette } = await tampered("UPDATE audit SET hash = ''");
  expect(await vedette("audit", "verify")).toMatchObject({ code: 0 });
  expect((await vedette("audit", "list", "--action", "device.enroll")).out).toMatch(/gauge-3[\s\S]*gauge-1/);
});
