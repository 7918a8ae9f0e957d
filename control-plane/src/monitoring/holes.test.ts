/** Every number that a device gave is stored, missing for a told reason, or still expected: nothing else, whatever happens. */
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { epoch, makeAccount, makeFrame, testFolder, testKey } from "../../test/batches.ts";
import { noon } from "../../test/clock.ts";
import { unpackFrame } from "./frame-check.ts";
import { uncovered } from "./holes.ts";
import { openInbox } from "./inbox.ts";
import { openTables } from "./inbox-tables.ts";

function testInbox(restored = false) {
  const path = join(testFolder(), "inbox.sqlite");
  const inbox = openInbox(path);
  const db = openTables(path);
  if (restored) db.prepare("INSERT INTO facts (key, value) VALUES ('restored_at', '0')").run();
  onTestFinished(() => {
    inbox.close();
    db.close();
  });
  const take = (frame: Uint8Array<ArrayBuffer>) =>
    inbox.take([{ agent: "dev", stream: "rain", frame, keys: [testKey] }], noon)[0];
  const stored = () =>
    db
      .prepare<[], { frame: Buffer }>("SELECT frame FROM batches")
      .all()
      .reduce((sum, { frame }) => sum + unpackFrame(frame).header.count, 0);
  const reasons = () => Object.fromEntries(inbox.account().missing.map(({ reason, rows }) => [reason, rows]));
  const expected = () => inbox.account().expected.reduce((sum, { rows }) => sum + rows, 0);
  const held = (seq: number, n: number | null = null) =>
    inbox.stored("dev", [{ stream: "rain", epoch, held: { seq, n } }], noon)[0]?.upTo;
  return { take, stored, reasons, expected, held };
}

const total = (reasons: Readonly<Record<string, number>>) =>
  Object.values(reasons).reduce((sum, rows) => sum + rows, 0);

type Fate = "sent" | "refused" | "lost with the control plane";
const batch = fc.record({
  count: fc.integer({ min: 0, max: 4 }),
  gap: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 })),
  fate: fc.constantFrom<Fate>("sent", "sent", "sent", "refused"),
});

test("[N22] each number is stored, missing for a reason, or expected; in any order, with refused and lost batches", {
  timeout: 120_000, // each run has a database and its fsyncs
}, () => {
  fc.assert(
    fc.property(
      fc.array(batch, { minLength: 1, maxLength: 12 }),
      fc.nat({ max: 6 }),
      fc.infiniteStream(fc.nat()),
      (made, lostFrom, order) => {
        const { take, stored, reasons, expected, held } = testInbox(true);
        let n = 0;
        // Numbers that are missing are told by an account, which takes a batch number of its own.
        const batches = made
          .flatMap(({ count, gap, fate }) => [
            ...(gap > 0 ? [{ count: gap, fate: "account" as const }] : []),
            { count, fate },
          ])
          .map(({ count, fate }, seq) => {
            const lost = seq >= lostFrom && seq < lostFrom + 2;
            const firstN = n;
            n += count;
            return { seq, count, firstN, fate: lost ? ("lost with the control plane" as const) : fate };
          });
        const coming = batches.filter(({ fate }) => fate !== "lost with the control plane");
        const shuffled = coming.map((one) => ({ one, at: order.next().value as number }));
        for (const { one } of shuffled.sort((a, b) => a.at - b.at)) {
          const { seq, count, firstN, fate } = one;
          const run = { reason: "power_loss", digest: null, release: null, from: firstN, ends: [firstN + count] };
          const header = fate === "refused" ? { columns: [] } : {};
          take(fate === "account" ? makeAccount(seq, [run]) : makeFrame({ seq, count, firstN, header }));
          const reached = stored() + total(reasons()) + expected();
          expect(reached).toBeLessThanOrEqual(n);
        }
        // The device has nothing left, and says so.
        held(batches.length, n);
        expect({ total: stored() + total(reasons()), expected: expected() }).toEqual({ total: n, expected: 0 });
        expect(reasons().unexplained ?? 0).toBe(0);
      },
    ),
    { numRuns: 30 },
  );
});

test("[N23] what a device deleted after an acknowledgement that a restored control plane does not know is counted exactly", () => {
  const { take, reasons, expected, held, stored } = testInbox(true);
  take(makeFrame({ seq: 0 }));
  // 1 to 4 were stored after the backup; 5 is still in the spool, 6 comes first.
  expect(held(5)).toBe(4);
  take(makeFrame({ seq: 6 }));
  expect(reasons()).toEqual({});
  expect(expected()).toBe(15);
  take(makeFrame({ seq: 5 }));
  expect({ ...reasons(), stored: stored(), expected: expected() }).toEqual({
    restored_backup: 12,
    stored: 9,
    expected: 0,
  });
  // Saying it again, or an older word of it, changes nothing.
  expect(held(5)).toBe(6);
  expect(held(7, 21)).toBe(6);
  expect(reasons()).toEqual({ restored_backup: 12 });
  // A spool that began after the backup, and waits for nothing.
  expect(held(9, 30)).toBe(8);
  expect(reasons()).toEqual({ restored_backup: 21 });
  const late = take(makeFrame({ seq: 9, firstN: 29 }));
  expect(late).toMatchObject({ refused: expect.stringContaining("all below 30 are stored or known to be missing") });
});

test("without a restored backup a hole is said to be unexplained, never left out", () => {
  const { take, reasons } = testInbox();
  take(makeFrame({ seq: 0 }));
  take(makeFrame({ seq: 1, firstN: 10 }));
  expect(reasons()).toEqual({ unexplained: 7 });
});

test("the rest of a hole beside gaps that overlap it", () => {
  expect(uncovered({ from: 3, to: 9 }, [])).toEqual([{ from: 3, to: 9 }]);
  expect(
    uncovered({ from: 3, to: 9 }, [
      { from: 0, to: 4 },
      { from: 4, to: 5 },
      { from: 8, to: 20 },
    ]),
  ).toEqual([{ from: 6, to: 7 }]);
  expect(uncovered({ from: 3, to: 9 }, [{ from: 0, to: 20 }])).toEqual([]);
});
