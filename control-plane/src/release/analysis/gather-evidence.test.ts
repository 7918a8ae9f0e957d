/** Evidence as it is read of the real database and the real lake. */
import { expect, test } from "vitest";
import { epoch, makeFrame } from "../../../test/batches.ts";
import { noon } from "../../../test/clock.ts";
import {
  began,
  candidate,
  devices,
  evidenceSite,
  facts,
  findingOf,
  member,
  minute,
  rollout,
  stages,
} from "../../../test/evidence-site.ts";
import { rolloutOf } from "../../../test/rollout-world.ts";
import { createEvidenceJudge } from "./gather-evidence.ts";

test("parcels of members since the rollout began count once, whoever answered; a restart reads the same", async () => {
  const { send, judge } = await evidenceSite();
  const look = judge();
  await send("dev", began - minute, { fit: [0, 500, 0, 0] }); // of an earlier rollout
  await send("stranger", began + minute, { fit: [0, 500, 0, 0] });
  expect(findingOf(await look(rollout, devices, noon), "unfit")).toMatchObject({ says: "no_evidence", n: 0 });
  await send("dev", began + minute, { fit: [98, 2, 0, 0] });
  await send("other", began + minute, { fit: [99, 0, 1, 0], answering: candidate });
  const expected = { n: 200, estimate: expect.closeTo(3 / 200), says: "undecided" };
  expect(findingOf(await look(rollout, devices, noon), "unfit")).toMatchObject(expected);
  expect(findingOf(await look(rollout, devices, noon + 1), "unfit")).toMatchObject(expected);
  expect(findingOf(await judge()(rollout, devices, noon), "unfit")).toMatchObject(expected);
});

test("[R52] one device of five that tells a flood, through the database, counts for its share, and for nothing once it is gone", async () => {
  const { send, judge } = await evidenceSite();
  const names = ["liar", "a", "b", "c", "d"];
  const members = new Map(names.map((agent) => [agent, member(agent)]));
  const many = { ...rollout, members };
  await send("liar", began + minute, { fit: [2_000_000, 0, 0, 0] });
  for (const agent of names.slice(1)) await send(agent, began + minute, { fit: [475, 25, 0, 0] });
  const there = names.map(facts);
  const found = await judge()(many, there, noon);
  // Twice a fifth is the liar's: 40 %.
  expect(findingOf(found, "unfit")).toMatchObject({ n: 3_333, estimate: expect.closeTo(0.03), says: "worse" });
  expect(found.why).not.toContain("without");
  const revoked = await judge()(many, there.slice(1), noon);
  expect(findingOf(revoked, "unfit")).toMatchObject({ n: 2_000, estimate: expect.closeTo(0.05) });
});

test("a rollback that rests on one device says which", async () => {
  const { send, judge } = await evidenceSite();
  const names = ["broken", "a", "b", "c", "d"];
  const many = { ...rollout, members: new Map(names.map((agent) => [agent, member(agent)])) };
  await send("broken", began + minute, { fit: [0, 500, 0, 0] });
  for (const agent of names.slice(1)) await send(agent, began + minute, { fit: [500, 0, 0, 0] });
  const { verdict, why } = await judge()(many, names.map(facts), noon);
  expect([verdict, why]).toEqual(["rollback", expect.stringMatching(/surely worse; without broken it would go on$/)]);
});

test("what a device told before it was a member counts once it is one, as after a restart", async () => {
  const { send, judge } = await evidenceSite();
  const look = judge();
  await send("stranger", began + minute, { fit: [100, 0, 0, 0] });
  expect(findingOf(await look(rollout, devices, noon), "unfit")).toMatchObject({ n: 0 });
  const joined = { ...rollout, members: new Map([...rollout.members, ["stranger", member("stranger")] as const]) };
  expect(findingOf(await look(joined, devices, noon), "unfit")).toMatchObject({ n: 100 });
  expect(findingOf(await judge()(joined, devices, noon), "unfit")).toMatchObject({ n: 100 });
});

test("a replay asks of the past, and is told what was known then", async () => {
  const { send, judge } = await evidenceSite();
  const look = judge("past");
  await send("dev", began + minute, { fit: [1000, 0, 0, 0] });
  await send("dev", began + 3 * minute, { fit: [0, 1000, 0, 0] });
  expect((await look(rollout, devices, noon)).verdict).toBe("rollback");
  expect((await look(rollout, devices, began + 2 * minute)).verdict).toBe("promote");
  expect((await look(rollout, devices, noon)).verdict).toBe("rollback");
});

test("what one incumbent's devices send later hides nothing of another's", async () => {
  const { send, judge } = await evidenceSite();
  const elder = "ef".repeat(32);
  await send("dev", began + 3 * minute, { fit: [100, 0, 0, 0] });
  await send("other", began + minute, { fit: [70, 0, 0, 0], answering: elder });
  const apart = [facts("dev"), { ...facts("other"), incumbent: elder }];
  expect(findingOf(await judge("past")(rollout, apart, began + 2 * minute), "unfit")).toMatchObject({ n: 70 });
});

test("labels tell who was right where the two said different things", async () => {
  const { lake, send, judge } = await evidenceSite();
  await lake.ingestion.take("dev", "rain", makeFrame()); // dry, rain, dry
  const says = (n: number, label: string) => ({ id: `${epoch}.${n}`, says: label });
  const answered = noon - minute + 1000; // by the batch's clock and its offset
  await send("dev", answered, { fit: [3, 0, 0, 0], disagreements: [says(0, "rain"), says(1, "dry")] });
  expect(findingOf(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({ says: "no_evidence" });
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
  expect(findingOf(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({
    n: 3,
    estimate: expect.closeTo(2 / 3),
  });
  await lake.labels.add([{ ...label(1, "dry"), at: noon + 1 }]);
  expect(findingOf(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({
    n: 3,
    estimate: expect.closeTo(0),
  });
});

test("[A2] labelled answers of times in which nobody was asked beside tell nothing, however many they are", async () => {
  const { lake, send, judge } = await evidenceSite();
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
  expect(findingOf(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({
    n: 40,
    estimate: expect.closeTo(-1 / 40),
  });
  const later = await evidenceSite();
  await later.lake.ingestion.take("dev", "rain", makeFrame({ count: 500 }));
  await later.lake.labels.add(Array.from({ length: 500 }, (_, n) => label(n)));
  await later.send("dev", noon - 1000, { fit: [40, 0, 0, 0] });
  expect(findingOf(await later.judge()(rollout, devices, noon), "accuracy")).toMatchObject({ says: "no_evidence" });
});

test("[R77] labelled answers of before the rollout are no evidence of it, though a device lists them in a parcel of years", async () => {
  const { lake, send, judge } = await evidenceSite();
  await lake.ingestion.take("dev", "rain", makeFrame());
  const key = (n: number) => `dev.rain.${epoch}.${n}`;
  const label = { kind: "id" as const, model: "rain", time: 0, label: "dry", at: noon, entity: null };
  await lake.labels.add([0, 1, 2].map((n) => ({ ...label, key: key(n) })));
  const later = noon + 10 * minute;
  const listed = [0, 1, 2].map((n) => ({ id: `${epoch}.${n}`, says: "rain" }));
  await send("dev", later + minute, { fit: [3, 0, 0, 0], disagreements: listed });
  const known = findingOf(await judge()(rollout, devices, later + 2 * minute), "accuracy");
  expect(known).toMatchObject({ n: 3 });
  const newer = { ...rollout, createdAt: later, stageSince: later };
  const verdict = await judge()(newer, devices, later + 2 * minute);
  expect(findingOf(verdict, "accuracy")).toMatchObject({ says: "no_evidence" });
});

test("[R71] a label that is no number tells nothing of two regressions, and does not pass for their agreement", async () => {
  const { lake, send, judge } = await evidenceSite();
  const count = 6;
  const columns = {
    "out:label": ["u16", new Uint16Array(count).fill(65_535)] as ["u16", Uint16Array],
    "out:value": ["f64", new Float64Array(count).fill(10)] as ["f64", Float64Array],
  };
  await lake.ingestion.take("dev", "rain", makeFrame({ count, columns }));
  const labels = ["10.1", "20", "nan", "inf", "soon", ""];
  await lake.labels.add(
    labels.map((label, n) => ({
      ...{ kind: "id" as const, model: "rain", key: `dev.rain.${epoch}.${n}` },
      ...{ time: 0, label, at: noon, entity: null },
    })),
  );
  await send("dev", noon - minute + 1000, { fit: [count, 0, 0, 0], disagreements: [{ id: `${epoch}.1`, says: 20 }] });
  expect(findingOf(await judge()(rollout, devices, noon), "accuracy")).toMatchObject({
    n: 2,
    estimate: expect.closeTo(-1 / 2),
  });
});

test("[R72] a clock that is set forward by a year while labels are read keeps them from being read again for minutes only", async () => {
  const { db, clock, send } = await evidenceSite();
  let asked = 0;
  const labels = {
    pairs: async () => {
      asked++;
      clock.advance(365 * 1440 * minute);
      return [];
    },
    metrics: async () => [],
  };
  const look = createEvidenceJudge({ db, labels, clock });
  await send("dev", began + minute, { fit: [5, 0, 0, 0] });
  await look(rollout, devices, noon);
  await look(rollout, devices, noon + minute);
  expect(asked).toBe(1);
  await look(rollout, devices, noon + 60 * minute);
  expect(asked).toBe(2);
});

test("[R73] a million values of a business metric are not read again at each look: they take a fifth of the time", async () => {
  const { db, clock } = await evidenceSite();
  let asked = 0;
  const labels = {
    pairs: async () => [],
    metrics: async () => {
      asked++;
      clock.advance(4_000);
      return [];
    },
  };
  const look = createEvidenceJudge({ db, labels, clock });
  const metrics = [{ metric: "business:sales", margin: 1, better: "higher" as const }];
  const judged = { ...rollout, policy: rolloutOf({ metrics, stages: [...stages] }).policy };
  // As rounds are: every two seconds.
  for (let i = 0; i < 30; i++) await look(judged, devices, noon + 2_000 * i);
  expect(asked).toBe(3);
});
