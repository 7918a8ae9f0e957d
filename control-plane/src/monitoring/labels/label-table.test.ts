import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { testFolder } from "../../../test/batches.ts";
import { noon } from "../../../test/clock.ts";
import { retention } from "../../lake/retention.ts";
import { openTables } from "../inbox-tables.ts";
import { type LabelRecord, labelTable } from "./label-table.ts";

const day = 86_400_000;

function openLabels() {
  const folder = testFolder();
  const db = openTables(join(folder, "inbox.sqlite"));
  onTestFinished(() => void db.close());
  return { db, folder, table: labelTable(db) };
}
const about = (key: string, label: string, at: number | null): LabelRecord => {
  return { model: "rain", kind: "request", key, time: 0, label, at };
};

test("[U6] whatever the order in which labels come, and however often, the newest holds and each former one is kept", () => {
  const told = fc.array(
    fc.record({ key: fc.constantFrom("a", "b"), label: fc.constantFrom("dry", "rain", "snow"), at: fc.nat(50) }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(told, fc.infiniteStream(fc.nat()), (all, numbers) => {
      // Of one time there is one truth.
      const facts = [...new Map(all.map((one) => [`${one.key} ${one.at}`, one])).values()];
      const shuffled = facts
        .map((one) => [numbers.next().value as number, one] as const)
        .sort(([a], [b]) => a - b)
        .map(([, one]) => one);
      const { db, table } = openLabels();
      for (const { key, label, at } of [...shuffled, ...shuffled.toReversed()])
        table.add([about(key, label, at)], noon);
      const newest = Map.groupBy(facts, ({ key }) => key);
      const held = Object.fromEntries([...table.truth("rain")].map(({ key, label }) => [key, label]));
      const wanted = [...newest].map(([key, of]) => [key, of.reduce((a, b) => (b.at > a.at ? b : a)).label]);
      expect(held).toEqual(Object.fromEntries(wanted));
      const former = db
        .prepare<[], { key: string; label: string }>(
          "SELECT l.key, f.label FROM former_labels f JOIN labels l ON l.id = f.label_id",
        )
        .all();
      for (const { key, label } of facts) if (held[key] !== label) expect(former).toContainEqual({ key, label });
    }),
    { numRuns: 30, seed: 7 },
  );
});

test("[U6] a truth that claims to be of next year is corrected by what comes tomorrow", () => {
  const { table } = openLabels();
  expect(table.add([about("a", "rain", noon + 365 * day)], noon)).toMatchObject({ stored: 1 });
  expect(table.add([about("a", "dry", null)], noon + day)).toMatchObject({ corrected: 1 });
  expect([...table.truth()]).toMatchObject([{ key: "a", label: "dry" }]);
});

test("[U14] labels and those they replaced go after their model's days, and stay counted", async () => {
  const { db, folder, table } = openLabels();
  table.add([about("a", "rain", null), about("b", "dry", null)], noon);
  table.add([about("a", "dry", null)], noon + day);
  table.add([{ ...about("c", "dry", null), model: "snow" }], noon);
  const retain = retention(db, folder);
  retain.setPolicy("rain", 30);
  await retain.apply(noon + 30 * day);
  expect(table.totals()).toMatchObject([{ model: "rain", labels: 2, removed: 0 }, { model: "snow" }]);
  await retain.apply(noon + 30 * day + 1);
  // The corrected one was told a day later.
  expect(table.totals()).toMatchObject([
    { model: "rain", labels: 1, corrected: 1, removed: 1 },
    { model: "snow", labels: 1, removed: 0 },
  ]);
  await retain.apply(noon + 90 * day);
  expect(table.totals()).toMatchObject([
    { model: "rain", labels: 0, removed: 2, newest: null },
    { model: "snow", labels: 1 },
  ]);
  expect(db.prepare("SELECT count(*) FROM former_labels").pluck().get()).toBe(0);
});
