/** Evidence of the last stage, as it is read of the real database and the real lake. */
import { expect, test } from "vitest";
import { epoch } from "../../../test/batches.ts";
import { noon } from "../../../test/clock.ts";
import {
  began,
  candidate,
  devices,
  evidenceSite,
  facts,
  incumbent,
  member,
  minute,
  rollout,
  stages,
} from "../../../test/evidence-site.ts";
import { rolloutOf } from "../../../test/rollout-world.ts";
import type { Member } from "../../db/rollout-records.ts";
import type { DeviceFacts } from "../rollouts/world.ts";
import { createEvidenceJudge } from "./gather-evidence.ts";

test("[J4] the last stage is passed by what all devices show in it, and what came before speaks for a rollback only", async () => {
  const { send, judge } = await evidenceSite();
  const last = { ...rollout, stage: 1, stageSince: began + 2 * minute };
  await send("dev", began + minute, { fit: [2000, 0, 0, 0] });
  const look = judge();
  const before = await look(rollout, devices, noon);
  expect(before.verdict).toBe("promote");
  expect(before).not.toHaveProperty("of");
  expect(await look(last, devices, noon)).toMatchObject({ verdict: "undecided", of: "last_stage" });
  await send("other", began + 3 * minute, { fit: [600, 0, 0, 0], answering: candidate });
  expect(await look(last, devices, noon)).toMatchObject({ verdict: "promote", of: "all_stages" });
  await send("other", began + 4 * minute, { fit: [0, 60, 0, 0], answering: candidate });
  const better = await look(last, devices, noon);
  expect(better.verdict).toBe("promote"); // only the candidate's answers stood there
  await send("other", began + 5 * minute, { fit: [0, 300, 0, 0] });
  expect((await judge()(last, devices, noon)).verdict).toBe("rollback");
});

test("[J6] a version that suits the first cohort alone is not promoted before those who joined have told", async () => {
  const { send, judge } = await evidenceSite();
  const canary = (agent: string, joinedAt: number): Member => ({
    ...member(agent),
    ...{ kind: "canary", given: "canary", joinedAt, since: noon - minute },
  });
  const stageSince = began + 2 * minute;
  const members = new Map([canary("dev", began), canary("other", stageSince)].map((one) => [one.agent, one] as const));
  const last = { ...rollout, members, stage: 1, stageSince };
  await send("dev", began + minute, { fit: [2000, 0, 0, 0], answering: candidate });
  await send("dev", stageSince + minute, { fit: [2000, 0, 0, 0], answering: candidate });
  const look = judge();
  expect(await look(last, devices, noon)).toMatchObject({
    verdict: "undecided",
    findings: [{ says: "no_evidence" }, { says: "no_evidence" }],
    why: expect.stringMatching(
      /^in the last stage, where those that joined must be heard too \(other sent no comparison.*: unfit: no row/,
    ),
  });
  await send("other", stageSince + minute, { fit: [400, 0, 0, 0], answering: candidate });
  expect((await look(last, devices, noon)).verdict).toBe("promote");
  // One more has joined, counts, and will tell.
  const third = { ...last, members: new Map([...members, ["stranger", canary("stranger", stageSince)]]) };
  const { verdict, why } = await look(third, devices, noon);
  expect([verdict, why]).toEqual([
    "undecided",
    expect.stringMatching(/^waits some minutes for what stranger will tell/),
  ]);
  expect((await look(third, devices, noon + 5 * minute)).verdict).toBe("promote");
  await send("stranger", noon, { fit: [300, 0, 90, 0], answering: candidate });
  expect((await look(third, devices, noon + 6 * minute)).verdict).toBe("rollback");
});

/** Two stations of which one joined in the last stage, ten minutes ago, and the other told 2,000 good rows in it. */
async function joinedSite(over: Partial<DeviceFacts> = {}) {
  const parts = await evidenceSite();
  const canary = (agent: string, joinedAt: number): Member => ({
    ...{ ...member(agent), kind: "canary", given: "canary", joinedAt, since: joinedAt },
  });
  const members = new Map([canary("dev", began - 1), canary("other", began)].map((one) => [one.agent, one] as const));
  const last = { ...rollout, members, stage: 1, stageSince: began, createdAt: began - minute };
  await parts.send("dev", began + minute, { fit: [2000, 0, 0, 0], answering: candidate });
  const answering = { holds: "canary", progress: { kind: "answering", served: 20 } } as const;
  const there = [
    { ...facts("dev"), ...answering },
    { ...facts("other"), ...answering, ...over },
  ];
  return { ...parts, last, there, canary };
}

test("[R76] the one that joined told a little and is gone: it is waited for so long as a device that does not count", async () => {
  const { send, judge, last, there } = await joinedSite({ online: false });
  const look = judge();
  await send("other", noon, { fit: [20, 0, 0, 0], answering: candidate });
  expect((await look(last, there, noon)).verdict).toBe("undecided");
  expect((await judge()(last, there, noon + 1440 * minute - 1)).verdict).toBe("undecided");
  expect((await judge()(last, there, noon + 1440 * minute)).verdict).toBe("promote");
});

test("[R76] one that is there and over its limits, so that it only tells of rows that it did not ask, is waited for no longer either", async () => {
  const { db, judge, last, there } = await joinedSite();
  const none = { answering: [], beside: [] };
  const counts = { rows: 0, skipped: 50, fit: [0, 0, 0, 0] as [number, number, number, number], agreed: 0 };
  await db.shadows.add({
    ...{ agent: "other", model: "rain", answering: candidate, beside: incumbent, epoch, n: 99 },
    ...{ fromAt: noon, toAt: noon, rows: 0, disagreements: [], omitted: 0, receivedAt: noon },
    counts: { ...counts, table: [], value: null, confidence: null, latency: none },
  });
  const { verdict, why } = await judge()(last, there, noon);
  expect([verdict, why]).toEqual(["undecided", expect.stringContaining("(other sent no comparison of both")]);
  expect((await judge()(last, there, began + 1440 * minute)).verdict).toBe("promote");
});

test("[R76] pages that come all day, count and are gone before they tell do not hold the stage up", async () => {
  const { judge, last, there, canary } = await joinedSite({ online: false, page: true });
  const look = judge();
  for (let i = 0; i < 20; i++) {
    const now = noon + i * 30_000;
    const page = { ...canary(`page-${i}`, now), since: now };
    const members = new Map([...last.members, [page.agent, page]]);
    const devices = [...there, facts(page.agent)];
    expect((await look({ ...last, members }, devices, now + 20_000)).verdict).toBe("promote");
  }
});

test("[R76] labels that come of one station only, which was there before, promote for all that; later, and it is said why", async () => {
  const { db, clock, send, last, there } = await joinedSite();
  let until = began + minute;
  const truth = { digest: candidate, agent: "dev", labelled: 2000, onlyAnsweringRight: 0, onlyBesideRight: 0 };
  const labels = { pairs: async () => [{ ...truth, until }], metrics: async () => [] };
  const metrics = [{ metric: "accuracy" as const, margin: 0.03 }];
  const judged = { ...last, policy: rolloutOf({ metrics, stages: [...stages] }).policy };
  const look = createEvidenceJudge({ db, labels, clock });
  await send("other", began + minute, { fit: [20, 0, 0, 0], answering: candidate });
  const { verdict, why } = await look(judged, there, noon);
  expect([verdict, why]).toEqual(["undecided", expect.stringContaining("(no label came of what other answered)")]);
  until = began + 1441 * minute;
  await send("other", until, { fit: [20, 0, 0, 0], answering: candidate });
  expect((await look(judged, there, until)).verdict).toBe("promote");
});
