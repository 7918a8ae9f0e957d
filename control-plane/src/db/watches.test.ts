import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { testFolder } from "../../test/batches.ts";
import { openDatabase } from "./database.ts";

test("[Z19] of what waits as much is taken up at once as fits in memory, in order, and one event at least", async () => {
  const db = await openDatabase(join(testFolder(), "vedette.db"));
  onTestFinished(() => db.close());
  const ids = ["a", "b", "c", "d"];
  const rows = (id: string) => Array.from({ length: id === "a" ? 100 : 1 }, () => [1]);
  await db.watches.receive(
    "pump",
    ids.map((id) => ({ id, request: { time: null, entity: null, rows: rows(id) } })),
    { count: 0, why: null },
    5,
  );
  const progress = { window: null, drift: null, predictions: 0 };
  const taken: string[][] = [];
  for (;;) {
    const events = await db.watches.ready("pump", 5, { events: 3, bytes: 100 });
    if (events.length === 0) break;
    taken.push(events.map(({ id }) => id));
    await db.watches.cut(
      "pump",
      events.map(({ seq }) => seq),
      [],
      progress,
      6,
    );
  }
  expect(taken).toEqual([["a"], ["b", "c"], ["d"]]);
});
