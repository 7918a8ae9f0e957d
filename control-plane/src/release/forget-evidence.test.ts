/** What is kept of releases, on the real database: bounded, and never what a live rollout is judged by. */
import { join } from "node:path";
import { latencyBin, type ShadowParcel } from "@vedette/protocol/shadow";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { testFolder } from "../../test/batches.ts";
import { makeBundle } from "../../test/bundle.ts";
import { manualClock, silentLogger } from "../../test/clock.ts";
import { rolloutOf } from "../../test/rollout-world.ts";
import { openDatabase } from "../db/database.ts";
import type { Member, Rollout } from "../db/rollout-records.ts";
import { addPairs, noPairs } from "./analysis/paired-evidence.ts";
import { createEvidenceRetention, historyKeptMs, parcelsKeptMs } from "./forget-evidence.ts";

const [incumbent, candidate, other] = ["a", "c", "d"].map((one) => one.repeat(64)) as [string, string, string];
const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const entry = { at: 0, actor: "t", action: "t", subject: "t", detail: {} };
const member = (agent: string): Member => ({
  ...{ agent, kind: "shadow", given: "shadow", joinedAt: 0, retakenAt: null, state: "counted", since: 0 },
  ...{ takenAt: 0, takenRev: 0, reached: true, reason: null },
});

async function site() {
  const db = await openDatabase(join(testFolder(), "plane.db"));
  onTestFinished(() => db.close());
  const clock = manualClock();
  const { manifest, digest, length } = makeBundle("rain", "a");
  const facts = { version: 1, bytes: 1, task: "classification", createdAt: 0, publishedBy: "t" } as const;
  const { requires, lineage } = JSON.parse(manifest);
  const version = { model: "rain", digest, length, ...facts, requires, lineage, modelSignature: null };
  await db.versions.publish(version, manifest, [], entry);
  /** One of a version, that ended at a moment or goes on. */
  const rollout = async (of: string, endedAt: number | null): Promise<number> => {
    const { id: _, ...draft } = rolloutOf({}, { digest: of, createdAt: clock.now() });
    const id = await db.rollouts.create(draft, () => entry);
    const before: Rollout = { ...draft, id };
    const after: Rollout = { ...before, endedAt, members: new Map([["d1", member("d1")]]) };
    const history = { at: clock.now(), changes: { gone: [] } };
    await db.rollouts.commit({ before, after, entries: [], history });
    return id;
  };
  const parcelOf = (n: number, at: number, of: string, over: Partial<ShadowParcel["counts"]> = {}) => {
    const latency = {
      answering: [[latencyBin(2 + n), 2]] as [number, number][],
      beside: [[latencyBin(3), 2]] as [number, number][],
    };
    const counts = {
      ...{
        rows: 2,
        skipped: 1,
        fit: [2, 0, 0, 0] as ShadowParcel["counts"]["fit"],
        agreed: 1,
        table: [[0, n % 2, 2]] as [number, number, number][],
      },
      ...{ value: null, confidence: { n: 2, sum: 0.5, sumSquares: 0.25 }, latency, ...over },
    };
    const disagreements = [{ id: `${"0".repeat(16)}.${n}`, says: "yes" }];
    return {
      ...{
        agent: "d1",
        model: "rain",
        answering: incumbent,
        beside: of,
        epoch: of.slice(0, 16),
        n,
        fromAt: at,
        toAt: at,
      },
      ...{ rows: 2, counts, disagreements, omitted: 0, receivedAt: at },
    };
  };
  const kept = (of: string) => db.shadows.between("rain", [incumbent, of], 0, 1e6);
  const evidenceOf = async (of: string) =>
    (await kept(of)).reduce((sum, { counts }) => addPairs(sum, counts, "incumbent"), noPairs);
  return {
    db,
    clock,
    rollout,
    parcelOf,
    kept,
    evidenceOf,
    work: createEvidenceRetention({ db, clock, logger: silentLogger, atOnce: 10 }),
  };
}

test("[A18] parcels of a rollout that is over become few, say the same together, and are counted once, however often they come", async () => {
  const { db, clock, rollout, parcelOf, kept, evidenceOf, work } = await site();
  const start = clock.now();
  const sent = Array.from({ length: 120 }, (_, n) => parcelOf(n, start + n * minute, candidate));
  for (const parcel of sent) await db.shadows.add(parcel);
  await rollout(candidate, start + 2 * hour);
  clock.advance(2 * hour + 59 * minute);
  const before = await evidenceOf(candidate);
  await work();
  // Parcels of devices that were away may come for an hour.
  expect(await kept(candidate)).toHaveLength(120);
  clock.advance(minute);
  await work();
  const after = await kept(candidate);
  expect(after).toHaveLength(8);
  expect(await evidenceOf(candidate)).toEqual(before);
  expect(after.flatMap(({ disagreements }) => disagreements)).toEqual(
    sent.flatMap(({ disagreements }) => disagreements),
  );
  expect(after.reduce((sum, { rows }) => sum + rows, 0)).toBe(240);
  for (const parcel of sent) expect(await db.shadows.add(parcel)).toBe(false);
  expect(await db.shadows.add(parcelOf(120, clock.now(), candidate))).toBe(true);
  await work();
  expect(await kept(candidate)).toHaveLength(9);
});

test("[A18] what devices found is removed 35 days after the end of its rollout, and is not taken anew", async () => {
  const { db, clock, rollout, parcelOf, kept, work } = await site();
  const start = clock.now();
  await db.shadows.sign("d1", [{ model: "rain", answering: incumbent, beside: candidate }], start);
  for (let n = 0; n < 45; n++) {
    await db.shadows.add(parcelOf(n, start + n * minute, candidate));
    // Of no rollout: they stay as they came until they go.
    await db.shadows.add(parcelOf(n, start + n * minute, other));
  }
  const id = await rollout(candidate, start + hour);
  clock.set(start + parcelsKeptMs);
  await work();
  expect([(await kept(candidate)).length, (await kept(other)).length]).toEqual([3, 45]);
  clock.advance(hour + 1);
  await work();
  expect([(await kept(candidate)).length, (await kept(other)).length]).toEqual([0, 0]);
  expect(await db.shadows.add(parcelOf(44, clock.now(), candidate))).toBe(false);
  expect(await db.rollouts.history(id)).toHaveLength(1);
  // A year later nothing of it is left: not even what kept its parcels from being counted twice, since none is taken any more.
  clock.set(start + historyKeptMs + day);
  await work();
  expect(await db.rollouts.history(id)).toEqual([]);
  expect(await db.shadows.signedAt("d1", { model: "rain", answering: incumbent, beside: candidate })).toBeUndefined();
});

test("[A19] what a live rollout is judged by stays as it came, however old, also where an earlier one of the version is over", async () => {
  const { db, clock, rollout, parcelOf, kept, work } = await site();
  const start = clock.now();
  await db.shadows.sign("d1", [{ model: "rain", answering: incumbent, beside: candidate }], start);
  for (let n = 0; n < 30; n++) {
    await db.shadows.add(parcelOf(n, start + n * minute, candidate));
    await db.shadows.add(parcelOf(n, start + n * minute, other));
  }
  await rollout(candidate, start + hour);
  await rollout(other, start + hour);
  const live = await rollout(candidate, null);
  clock.advance(2 * hour);
  await work();
  expect([(await kept(candidate)).length, (await kept(other)).length]).toEqual([30, 2]);
  clock.advance(2 * historyKeptMs);
  await work();
  expect([(await kept(candidate)).length, (await kept(other)).length]).toEqual([30, 0]);
  expect(await db.shadows.signedAt("d1", { model: "rain", answering: incumbent, beside: candidate })).toBe(start);
  expect(await db.rollouts.history(live)).toHaveLength(1);
});

test("[A19] parcels merged in any grouping give the same evidence", async () => {
  const { addCounts } = await import("./analysis/merge-parcels.ts");
  const { parcelOf } = await site();
  const one = fc.nat(40).map((n) => parcelOf(n, n, candidate).counts);
  const evidence = (all: readonly ShadowParcel["counts"][]) =>
    all.reduce((sum, counts) => addPairs(sum, counts, "candidate"), noPairs);
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 20 }), fc.nat(20), (all, at) => {
      const cut = Math.min(at, all.length - 1);
      const parts = [all.slice(0, cut), all.slice(cut)].filter((part) => part.length > 0);
      expect(evidence(parts.map((part) => part.reduce(addCounts)))).toEqual(evidence(all));
    }),
  );
});
