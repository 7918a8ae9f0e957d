/** Evidence as it is read of the real database and the real lake. */
import { join } from "node:path";
import type { RolloutVerdict } from "@vedette/protocol/rollout";
import { latencyBin, type ShadowParcel } from "@vedette/protocol/shadow";
import { expect, onTestFinished, test } from "vitest";
import { epoch, makeFrame, testFolder, testKeys } from "../../../test/batches.ts";
import { manualClock, noon, silentLogger } from "../../../test/clock.ts";
import { rolloutOf } from "../../../test/rollout-world.ts";
import { openDatabase } from "../../db/database.ts";
import type { Member } from "../../db/rollout-records.ts";
import { openLake } from "../../lake/open-lake.ts";
import type { DeviceFacts } from "../rollouts/world.ts";
import { createEvidenceJudge } from "./gather-evidence.ts";

/** Of the batches of these tests. */
const incumbent = "ab".repeat(32);
const candidate = "cd".repeat(32);
const minute = 60_000;
const began = noon - 10 * minute;
const metrics = [
  { metric: "unfit", margin: 0.02 },
  { metric: "accuracy", margin: 0.03, required: false },
] as const;
const stages = [
  { kind: "shadow", share: 0.5 },
  { kind: "canary", share: 1 },
] as const;

const member = (agent: string): Member => ({
  ...{ agent, kind: "shadow", given: "shadow", joinedAt: began, state: "counted", since: began },
  ...{ takenAt: began, takenRev: 0, reached: true, reason: null },
});
const facts = (agent: string): DeviceFacts => ({
  ...{ agent, labels: {}, online: true, incumbent, lacks: null, shadows: true, overBudget: false, takenBy: null },
  ...{ holds: "shadow", rev: 1, reportedRev: 1, progress: { kind: "nothing" } },
});
const rollout = rolloutOf(
  { metrics: [...metrics], stages: [...stages] },
  {
    ...{ digest: candidate, createdAt: began, stageSince: began },
    members: new Map(["dev", "other"].map((agent) => [agent, member(agent)])),
  },
);
const devices = ["dev", "other", "stranger"].map(facts);

async function site() {
  const folder = testFolder();
  const db = await openDatabase(join(folder, "plane.db"));
  const clock = manualClock();
  const lake = await openLake({ clock, logger: silentLogger, deviceKeys: testKeys, folder });
  onTestFinished(async () => {
    await lake.close();
    await db.close();
  });
  let n = 0;
  /** A parcel of rows that both versions answered, but for those of which only one's answer stands. */
  const send = (agent: string, at: number, over: Partial<ShadowParcel> & { fit: ShadowParcel["counts"]["fit"] }) => {
    const { fit, answering = incumbent, disagreements = [] } = over;
    const rows = fit.reduce((sum, one) => sum + one, 0);
    const latency = {
      answering: [[latencyBin(2), rows] as [number, number]],
      beside: [[latencyBin(2), rows] as [number, number]],
    };
    const counts = {
      rows,
      skipped: 0,
      fit,
      agreed: fit[0] - disagreements.length,
      table: [],
      value: null,
      confidence: null,
      latency,
    };
    return db.shadows.add({
      ...{ agent, model: "rain", answering, beside: answering === candidate ? incumbent : candidate, epoch, n: n++ },
      ...{ fromAt: at, toAt: at, rows, counts, disagreements, omitted: 0, receivedAt: at },
    });
  };
  const judge = (of: "now" | "past" = "now") => createEvidenceJudge({ db, labels: lake.labels, clock, of });
  return { db, lake, send, judge };
}
const of = ({ findings }: RolloutVerdict, metric: string) => findings.find((finding) => finding.metric === metric);

test("parcels of members since the rollout began count once, whoever answered; a restart reads the same", async () => {
  const { send, judge } = await site();
  const look = judge();
  await send("dev", began - minute, { fit: [0, 500, 0, 0] }); // of an earlier rollout
  await send("stranger", began + minute, { fit: [0, 500, 0, 0] });
  expect(of(await look(rollout, devices, noon), "unfit")).toMatchObject({ says: "no_evidence", n: 0 });
  await send("dev", began + minute, { fit: [98, 2, 0, 0] });
  await send("other", began + minute, { fit: [99, 0, 1, 0], answering: candidate });
  const expected = { n: 200, estimate: expect.closeTo(3 / 200), says: "undecided" };
  expect(of(await look(rollout, devices, noon), "unfit")).toMatchObject(expected);
  expect(of(await look(rollout, devices, noon + 1), "unfit")).toMatchObject(expected);
  expect(of(await judge()(rollout, devices, noon), "unfit")).toMatchObject(expected);
});

test("[R52] one device of five that tells a flood, through the database, counts for its share, and for nothing once it is gone", async () => {
  const { send, judge } = await site();
  const names = ["liar", "a", "b", "c", "d"];
  const members = new Map(names.map((agent) => [agent, member(agent)]));
  const many = { ...rollout, members };
  await send("liar", began + minute, { fit: [2_000_000, 0, 0, 0] });
  for (const agent of names.slice(1)) await send(agent, began + minute, { fit: [475, 25, 0, 0] });
  const there = names.map(facts);
  const found = await judge()(many, there, noon);
  // Twice a fifth is the liar's: 40 %.
  expect(of(found, "unfit")).toMatchObject({ n: 3_333, estimate: expect.closeTo(0.03), says: "worse" });
  expect(found.why).not.toContain("without");
  const revoked = await judge()(many, there.slice(1), noon);
  expect(of(revoked, "unfit")).toMatchObject({ n: 2_000, estimate: expect.closeTo(0.05) });
});

test("a rollback that rests on one device says which", async () => {
  const { send, judge } = await site();
  const names = ["broken", "a", "b", "c", "d"];
  const many = { ...rollout, members: new Map(names.map((agent) => [agent, member(agent)])) };
  await send("broken", began + minute, { fit: [0, 500, 0, 0] });
  for (const agent of names.slice(1)) await send(agent, began + minute, { fit: [500, 0, 0, 0] });
  const { verdict, why } = await judge()(many, names.map(facts), noon);
  expect([verdict, why]).toEqual(["rollback", expect.stringMatching(/surely worse; without broken it would go on$/)]);
});

test("what a device told before it was a member counts once it is one, as after a restart", async () => {
  const { send, judge } = await site();
  const look = judge();
  await send("stranger", began + minute, { fit: [100, 0, 0, 0] });
  expect(of(await look(rollout, devices, noon), "unfit")).toMatchObject({ n: 0 });
  const joined = { ...rollout, members: new Map([...rollout.members, ["stranger", member("stranger")] as const]) };
  expect(of(await look(joined, devices, noon), "unfit")).toMatchObject({ n: 100 });
  expect(of(await judge()(joined, devices, noon), "unfit")).toMatchObject({ n: 100 });
});

test("a replay asks of the past, and is told what was known then", async () => {
  const { send, judge } = await site();
  const look = judge("past");
  await send("dev", began + minute, { fit: [1000, 0, 0, 0] });
  await send("dev", began + 3 * minute, { fit: [0, 1000, 0, 0] });
  expect((await look(rollout, devices, noon)).verdict).toBe("rollback");
  expect((await look(rollout, devices, began + 2 * minute)).verdict).toBe("promote");
  expect((await look(rollout, devices, noon)).verdict).toBe("rollback");
});

test("what one incumbent's devices send later hides nothing of another's", async () => {
  const { send, judge } = await site();
  const elder = "ef".repeat(32);
  await send("dev", began + 3 * minute, { fit: [100, 0, 0, 0] });
  await send("other", began + minute, { fit: [70, 0, 0, 0], answering: elder });
  const apart = [facts("dev"), { ...facts("other"), incumbent: elder }];
  expect(of(await judge("past")(rollout, apart, began + 2 * minute), "unfit")).toMatchObject({ n: 70 });
});

test("[J4] the last stage is passed by what all devices show in it, and what came before speaks for a rollback only", async () => {
  const { send, judge } = await site();
  const last = { ...rollout, stage: 1, stageSince: began + 2 * minute };
  await send("dev", began + minute, { fit: [2000, 0, 0, 0] });
  const look = judge();
  expect((await look(rollout, devices, noon)).verdict).toBe("promote");
  expect((await look(last, devices, noon)).verdict).toBe("undecided");
  await send("other", began + 3 * minute, { fit: [600, 0, 0, 0], answering: candidate });
  expect((await look(last, devices, noon)).verdict).toBe("promote");
  await send("other", began + 4 * minute, { fit: [0, 60, 0, 0], answering: candidate });
  const better = await look(last, devices, noon);
  expect(better.verdict).toBe("promote"); // only the candidate's answers stood there
  await send("other", began + 5 * minute, { fit: [0, 300, 0, 0] });
  expect((await judge()(last, devices, noon)).verdict).toBe("rollback");
});

test("labels tell who was right where the two said different things", async () => {
  const { lake, send, judge } = await site();
  await lake.ingestion.take("dev", "rain", makeFrame()); // dry, rain, dry
  const says = (n: number, label: string) => ({ id: `${epoch}.${n}`, says: label });
  const answered = noon - minute + 1000; // by the batch's clock and its offset
  await send("dev", answered, { fit: [3, 0, 0, 0], disagreements: [says(0, "rain"), says(1, "dry")] });
  expect(of(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({ says: "no_evidence" });
  const label = (n: number, truth: string) => ({
    ...{
      kind: "id" as const,
      model: "rain",
      key: `dev.rain.${epoch}.${n}`,
      time: 0,
      label: truth,
      at: noon,
      entity: null,
    },
  });
  await lake.labels.add([label(0, "dry"), label(1, "rain"), label(2, "dry")]);
  expect(of(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({
    n: 3,
    estimate: expect.closeTo(2 / 3),
  });
  await lake.labels.add([{ ...label(1, "dry"), at: noon + 1 }]);
  expect(of(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({ n: 3, estimate: expect.closeTo(0) });
});

test("[A2] labelled answers of times in which nobody was asked beside tell nothing, however many they are", async () => {
  const { lake, send, judge } = await site();
  await lake.ingestion.take("dev", "rain", makeFrame({ count: 500 }));
  const label = (n: number) => ({
    ...{
      kind: "id" as const,
      model: "rain",
      key: `dev.rain.${epoch}.${n}`,
      time: 0,
      label: "dry",
      at: noon,
      entity: null,
    },
  });
  await lake.labels.add(Array.from({ length: 500 }, (_, n) => label(n)));
  // The first of them were answered in the span of this parcel, and the others some hundred ms after it.
  const answered = noon - minute + 1000;
  await send("dev", answered, { fit: [40, 0, 0, 0], disagreements: [{ id: `${epoch}.1`, says: "dry" }] });
  expect(of(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({
    n: 40,
    estimate: expect.closeTo(-1 / 40),
  });
  const later = await site();
  await later.lake.ingestion.take("dev", "rain", makeFrame({ count: 500 }));
  await later.lake.labels.add(Array.from({ length: 500 }, (_, n) => label(n)));
  await later.send("dev", noon - 1000, { fit: [40, 0, 0, 0] });
  expect(of(await later.judge()(rollout, devices, noon), "accuracy")).toMatchObject({ says: "no_evidence" });
});
