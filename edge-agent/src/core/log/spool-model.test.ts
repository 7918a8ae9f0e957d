import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settle } from "../../sim/memory-ports.ts";
import type { LoggedVersion } from "./logged-rows.ts";
import { heldBy, isIn, keys, one, predict, type Range, rig, stored, upTo } from "./test/spool-rig.ts";

/** All that an error says, causes and parts included. */
const told = (error: unknown): string =>
  error instanceof AggregateError
    ? error.errors.map(told).join()
    : error instanceof Error
      ? `${error} ${told(error.cause)}`
      : "";
const unlessFull = (error: unknown): void => {
  if (!told(error).includes("full") || told(error).includes("killed")) throw error;
};

describe("[model] a spool survives death at every change of the disk", () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("predict" as const), count: fc.integer({ min: 1, max: 9 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 100, max: 3000 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("cut" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("store" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("fill disk" as const), writes: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const) }) },
  );
  const death = fc.record({
    at: fc.integer({ min: 0, max: 25 }),
    torn: fc.constantFrom(0, 0.3, 0.9, 1),
    power: fc.boolean(),
    keep: fc.constantFrom(0, 0.4, 1),
    undoRemoves: fc.boolean(),
  });

  test("[P1] numbers are unique, every answered row or its gap reaches the control plane, a kill makes no gap", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(step, { maxLength: 12 }), death), { maxLength: 5 }),
        fc.constantFrom(3_000, 6_000, 1e9),
        fc.constantFrom("oldest" as const, "sample" as const),
        async (lives, bytes, whenFull) => {
          const { disk, clock, open } = rig({ bytes });
          const by: LoggedVersion = { ...one, policy: { inputs: "full", whenFull } };
          const answered = new Set<number>();
          /** What the control plane has stored, by batch number. */
          const above = new Map<number, { rows: number; from: number } | { lost: Range }>();
          let powerLosses = 0;
          let failures = 0;
          const limits = { batchRows: 8, batchAgeMs: 1500 };
          /** As the control plane does: a batch number is settled once, by a batch or by a part of an account. */
          const store = (): void => {
            for (const { header, columns } of stored(disk)) {
              const parts = header.missing.flatMap(({ reason, from, ends }) =>
                ends.map((end, i): Range => [reason, i === 0 ? from : (ends[i - 1] as number), end]),
              );
              if (parts.length === 0) {
                const before = above.get(header.seq);
                if (before && "rows" in before) expect(before.rows).toEqual(header.count);
                above.set(header.seq, before ?? { rows: header.count, from: header.firstN });
                expect(columns["in:wind"]?.[0]).toBe(heldBy(header.firstN));
              }
              for (const [i, part] of parts.entries()) {
                if (!above.has(header.seq + i)) above.set(header.seq + i, { lost: part });
              }
            }
          };
          const live = async (
            steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
          ): Promise<void> => {
            const log = await open(limits);
            for (const now of steps) {
              if (now.kind === "predict") {
                const first = await predict(log, now.count, by);
                for (let n = first; n < first + now.count; n++) {
                  expect(answered.has(n)).toBe(false);
                  answered.add(n);
                }
              } else if (now.kind === "wait") await clock.advance(now.ms);
              else if (now.kind === "cut") await log.cut().catch(unlessFull);
              else if (now.kind === "fill disk") {
                failures++;
                disk.failAppends(1 + now.writes);
                disk.failWrites(now.writes);
              } else if (now.kind === "store") {
                store();
                await log.batches.drop(keys(log)).catch(unlessFull);
              } else {
                await log.close().catch(unlessFull);
                return;
              }
            }
          };
          for (const [steps, end] of lives) {
            disk.killAt(end.at, end.torn);
            await live(steps).catch((error: unknown) => {
              if (!/killed|full/.test(told(error))) throw error;
            });
            if (end.power) {
              disk.powerLoss(end);
              powerLosses++;
            } else disk.kill();
            await settle();
          }
          disk.killAt(Number.MAX_SAFE_INTEGER, 0);
          disk.failAppends(0);
          disk.failWrites(0);
          const last = await open(limits);
          const next = await predict(last, 1);
          await last.cut();
          store();
          const settled = [...above].sort(([a], [b]) => a - b).map(([, what]) => what);
          expect([...above.keys()].sort((a, b) => a - b)).toEqual(upTo(above.size));
          const rows = new Set<number>();
          const gaps: Range[] = [];
          let reached = 0;
          for (const what of settled) {
            const [from, to] = "lost" in what ? [what.lost[1], what.lost[2]] : [what.from, what.from + what.rows];
            expect(from).toBe(reached);
            reached = to;
            if ("lost" in what) gaps.push(what.lost);
            else for (let n = from; n < to; n++) rows.add(n);
          }
          expect(reached).toBe(next + 1);
          for (const n of answered) expect(rows.has(n) || isIn(gaps, n)).toBe(true);
          const reasons = new Set(gaps.map(([reason]) => reason));
          if (powerLosses === 0) expect(reasons).not.toContain("power_loss");
          if (failures === 0) expect(reasons).not.toContain("disk_full");
          if (bytes === 1e9) expect([...reasons].filter((reason) => /dropped|sampled/.test(reason))).toEqual([]);
          // Nothing but what was given up is missing of what was answered.
          if (reasons.size === 0) for (const n of answered) expect(rows.has(n)).toBe(true);
        },
      ),
      { numRuns: 250 },
    );
  });
});
