/** What the control plane takes of a device's shadow, and what it does not believe. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shadowParcel } from "@vedette/protocol/shadow";
import { expect, onTestFinished, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { manualClock, silentLogger } from "../../test/clock.ts";
import { openDatabase } from "../db/database.ts";
import type { VersionRecord } from "../db/records.ts";
import { createShadowIntake } from "./take-shadow.ts";

const epoch = "0123456789abcdef";

/** Two versions of `rain`, and one of `flood`; d1 is assigned the second of `rain` beside the first. */
async function site() {
  const file = join(await mkdtemp(join(tmpdir(), "vedette-shadow-")), "plane.db");
  let db = await openDatabase(file);
  onTestFinished(() => db.close());
  const clock = manualClock();
  const publish = async (model: string, version: number, content: string) => {
    const { manifest, digest, length } = makeBundle(model, content);
    const { requires, lineage } = JSON.parse(manifest) as Pick<VersionRecord, "requires" | "lineage">;
    const entry = { at: 0, actor: "t", action: "version.publish", subject: model, detail: {} };
    const facts = { version, bytes: 1, task: "classification", createdAt: 0, publishedBy: "t" } as const;
    await db.versions.publish(
      { model, digest, length, ...facts, requires, lineage, modelSignature: null },
      manifest,
      [],
      entry,
    );
    return { digest, length, release: version };
  };
  const [first, second, flood] = [
    await publish("rain", 1, "a"),
    await publish("rain", 2, "b"),
    await publish("flood", 1, "c"),
  ];
  const open = () => createShadowIntake({ db, clock, logger: silentLogger });
  let intake = open();
  const sign = () => intake.sign("d1", [{ model: "rain", ...first, beside: { ...second, sample: 1 } }]);
  await sign();
  const parcel = shadowParcel.parse({
    model: "rain",
    answering: first.digest,
    beside: second.digest,
    window: { epoch, n: 0, from: 5, to: 9 },
    counts: {
      rows: 10,
      skipped: 3,
      fit: [7, 1, 2, 0],
      agreed: 5,
      table: [
        [0, 0, 4],
        [0, 1, 2],
        [1, 1, 1],
      ],
      value: null,
      confidence: { n: 7, sum: 0.5, sumSquares: 0.25 },
      latency: { answering: [[40, 8]], beside: [[41, 9]] },
    },
    disagreements: [{ id: `${epoch}.4`, says: "rain" }],
    omitted: 1,
  });
  return {
    get db() {
      return db;
    },
    take: (agent: string, one: unknown) => intake.take(agent, shadowParcel.parse(one)),
    async restart() {
      await db.close();
      db = await openDatabase(file);
      intake = open();
    },
    ...{ sign, clock, first, second, flood, parcel },
  };
}

test("[S62] a parcel is stored once, however often it comes and over restarts, and acknowledged each time", async () => {
  const at = await site();
  for (let i = 0; i < 3; i++) expect(await at.take("d1", at.parcel)).toEqual({ epoch, n: 0 });
  await at.restart();
  expect(await at.take("d1", at.parcel)).toEqual({ epoch, n: 0 });
  await at.take("d1", { ...at.parcel, window: { ...at.parcel.window, n: 1 } });
  const kept = await at.db.shadows.between("rain", [at.first.digest, at.second.digest], 0, 10);
  expect(kept.map(({ agent, n, rows }) => [agent, n, rows])).toEqual([
    ["d1", 0, 10],
    ["d1", 1, 10],
  ]);
  const { counts, disagreements, omitted } = at.parcel;
  expect(kept[0]).toMatchObject({ counts, disagreements, omitted, fromAt: 5, toAt: 9 });
  expect(await at.db.shadows.between("rain", [at.second.digest, at.first.digest], kept[0]?.id ?? 0, 10)).toHaveLength(
    1,
  );
});

test("[S63] of a pair that was never assigned to the device nothing is taken; once it was, it is, however late", async () => {
  const at = await site();
  const { parcel, first, second, flood } = at;
  for (const [agent, one] of [
    ["d2", parcel],
    ["d1", { ...parcel, answering: second.digest, beside: first.digest }],
    ["d1", { ...parcel, beside: flood.digest }],
    ["d1", { ...parcel, model: "flood" }],
    ["d1", { ...parcel, beside: "ab".repeat(32) }],
  ] as const) {
    expect(await at.take(agent, one)).toMatchObject({ refused: expect.stringContaining("never assigned") });
  }
  await at.restart();
  at.clock.advance(30 * 86_400_000);
  expect(await at.take("d1", parcel)).toEqual({ epoch, n: 0 });
});

test("[S64] what contradicts itself is refused for good, with what is wrong", async () => {
  const at = await site();
  const { parcel } = at;
  const { counts } = parcel;
  const say = async (change: object, why: RegExp) =>
    expect(await at.take("d1", { ...parcel, ...change })).toMatchObject({
      epoch,
      n: 0,
      refused: expect.stringMatching(why),
    });
  const count = (change: object, why: RegExp) => say({ counts: { ...counts, ...change } }, why);
  await count({ rows: 11 }, /are not 11/);
  await count({ agreed: 8 }, /8 rows agree of 7/);
  await count({ agreed: 6 }, /disagreements/);
  await count({ table: [[0, 0, 7]] }, /7 rows agree by the table/);
  await count({ table: [[0, 0, 5]] }, /holds 5 rows of 7/);
  await count(
    {
      table: [
        [0, 0, 5],
        [0, 9, 2],
      ],
    },
    /classes that there are not/,
  );
  await count(
    {
      table: [
        [0, 0, 4],
        [0, 0, 1],
        [0, 1, 2],
      ],
    },
    /stands twice/,
  );
  await count({ confidence: null }, /confidences are of 0 rows/);
  await count({ confidence: { n: 7, sum: 7, sumSquares: 0 } }, /contradict each other/);
  await count({ confidence: { n: 7, sum: 14, sumSquares: 28 } }, /more than they can/);
  await count({ value: { n: 7, sum: 0, sumSquares: 0 } }, /no values/);
  await count({ latency: { answering: [[40, 11]], beside: [] } }, /more runs than rows/);
  await say({ window: { epoch, n: 0, from: 9, to: 5 } }, /ends before/);
  await say({ disagreements: [{ id: `${epoch}.4`, says: "snow" }] }, /none of the classes/);
  await say({ disagreements: [{ id: `${epoch}.4`, says: 3 }] }, /none of the classes/);
  await say({ disagreements: Array(2).fill(parcel.disagreements[0]), omitted: 0 }, /disagrees twice/);
  const none = { rows: 0, skipped: 0, fit: [0, 0, 0, 0], agreed: 0, table: [], latency: { answering: [], beside: [] } };
  await say({ counts: { ...counts, ...none }, disagreements: [], omitted: 0 }, /no row/);
  expect(await at.db.shadows.between("rain", [at.first.digest, at.second.digest], 0, 10)).toEqual([]);
});

test("[R56] nor more parcels than a device sends: one that floods fills no disk, and what it sent before stays", async () => {
  const at = await site();
  const part = (n: number) => at.take("d1", { ...at.parcel, window: { ...at.parcel.window, n } });
  for (let n = 0; n < 100; n++) expect(await part(n)).not.toHaveProperty("refused");
  expect(await part(100)).toMatchObject({ refused: expect.stringContaining("more than a device sends") });
  await at.restart();
  expect(await part(101)).toMatchObject({ refused: expect.stringContaining("more than a device sends") });
  at.clock.advance(2_000);
  expect(await part(102)).not.toHaveProperty("refused");
  expect(await part(103)).toHaveProperty("refused");
  expect(await at.db.shadows.sentOf("d1", at.parcel)).toEqual({ rows: 1_010, parcels: 101 });
});

test("[R65] a pair that was assigned while the clock was years ahead is told of as long as any other once it is right", async () => {
  const at = await site();
  const part = (n: number) => at.take("d1", { ...at.parcel, window: { ...at.parcel.window, n } });
  at.clock.set(at.clock.now() - 365 * 86_400_000);
  await at.restart();
  // With the device's next hello.
  await at.sign();
  for (let n = 0; n < 100; n++) await part(n);
  at.clock.advance(60_000);
  for (let n = 100; n < 130; n++) expect(await part(n)).toEqual({ epoch, n });
});

test("[S64] nor are more rows taken than a device can have answered since", async () => {
  const at = await site();
  const many = 2_999_000;
  const counts = { ...at.parcel.counts, rows: many, fit: [7, many - 7, 0, 0] };
  const part = (n: number) => ({ ...at.parcel, window: { ...at.parcel.window, n }, counts });
  expect(await at.take("d1", part(0))).toEqual({ epoch, n: 0 });
  expect(await at.take("d1", part(1))).toMatchObject({
    refused: expect.stringContaining("more than a device answers"),
  });
  at.clock.advance(3_600_000);
  expect(await at.take("d1", part(2))).toEqual({ epoch, n: 2 });
});
