import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { testFolder } from "../../test/batches.ts";
import { inboxMigrations } from "./inbox-migrations.ts";
import { openTables } from "./inbox-tables.ts";

function open(path: string) {
  const db = new Database(path);
  onTestFinished(() => void db.close());
  return db;
}

test("[N20] every earlier version of the records' file is brought up to date, and keeps what it holds", () => {
  const schemaOf = (path: string) => {
    const db = openTables(path);
    onTestFinished(() => void db.close());
    expect(db.pragma("user_version", { simple: true })).toBe(inboxMigrations.length);
    return db.prepare("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").all();
  };
  const fresh = schemaOf(join(testFolder(), "inbox.sqlite"));
  for (let taken = 1; taken <= inboxMigrations.length; taken++) {
    const path = join(testFolder(), "inbox.sqlite");
    const old = open(path);
    for (const step of inboxMigrations.slice(0, taken)) old.exec(step);
    // Files from before there were steps say 0, and hold what the first step makes.
    old.pragma(`user_version = ${taken === 1 ? 0 : taken}`);
    old.exec("INSERT INTO gaps (agent, model, epoch, from_n, to_n, received) VALUES ('a', 'm', 'e', 1, 2, 3)");
    old.close();
    expect(schemaOf(path)).toEqual(fresh);
    expect(open(path).prepare("SELECT from_n, reason FROM gaps").all()).toEqual([{ from_n: 1, reason: "power_loss" }]);
  }
});

test("[N20] a file of a newer version is refused, and not touched", () => {
  const path = join(testFolder(), "inbox.sqlite");
  openTables(path).close();
  open(path).pragma(`user_version = ${inboxMigrations.length + 1}`);
  expect(() => openTables(path)).toThrow(expect.objectContaining({ code: "conflict" }));
  expect(open(path).pragma("user_version", { simple: true })).toBe(inboxMigrations.length + 1);
});
