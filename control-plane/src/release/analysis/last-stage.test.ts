import { describe, expect, test } from "vitest";
import { noon } from "../../../test/clock.ts";
import { rolloutOf } from "../../../test/rollout-world.ts";
import type { Member } from "../../db/rollout-records.ts";
import type { DeviceFacts } from "../rollouts/world.ts";
import { type Heard, joinedInLast, partsOfJoined, stillToTell, whereInLast } from "./last-stage.ts";

const minute = 60_000;
const member = (agent: string, joinedAt: number, over: Partial<Member> = {}): Member => ({
  ...{ agent, kind: "canary", given: "canary", joinedAt, retakenAt: null, state: "counted", since: noon },
  ...{ takenAt: joinedAt, takenRev: 0, reached: true, reason: null, ...over },
});
const facts = (agent: string, over: Partial<DeviceFacts> = {}): DeviceFacts => ({
  ...{ agent, labels: {}, online: true, incumbent: "a", lacks: null, shadows: true, overBudget: false, takenBy: null },
  ...{ holds: "canary", rev: 1, reportedRev: 1, progress: { kind: "answering", served: 20 }, ...over },
});
const [former, joined] = [noon - 60 * minute, noon - minute];
const rolloutWith = (...members: Member[]) =>
  rolloutOf({}, { stage: 1, stageSince: joined, members: new Map(members.map((one) => [one.agent, one])) });
const heard = (now: number, told: Record<string, number> = {}, labelled: Record<string, number> = {}): Heard => ({
  told: new Map(Object.entries(told).map(([agent, at]) => [agent, { from: at, at }])),
  labelled: new Map(Object.entries(labelled)),
  now,
});
const day = 1440 * minute;

describe("[J6] the last stage", () => {
  test("those who joined in it are a part of those that count and can tell", () => {
    const rollout = rolloutWith(
      member("old", former),
      member("new", joined),
      member("full", joined),
      member("slow", joined, { state: "updating" }),
    );
    const devices = [facts("old"), facts("new"), facts("full", { lacksBoth: "no memory" }), facts("slow")];
    expect(partsOfJoined(rollout, devices, heard(noon))).toEqual({ pairs: 1 / 2, labels: 1 / 2 });
    expect(["old", "new", "slow", "stranger"].map((agent) => joinedInLast(rollout, agent))).toEqual([
      ...[false, true, true, false],
    ]);
    const none = { pairs: 0, labels: 0 };
    expect(partsOfJoined(rolloutWith(member("old", former)), devices, heard(noon))).toEqual(none);
    expect(partsOfJoined(rolloutWith(), [], heard(noon))).toEqual(none);
  });

  test("waits for who counts and is about to tell; not for who is away, told, cannot, or had its minutes", () => {
    const rollout = rolloutWith(...["told", "soon", "away", "full", "late"].map((agent) => member(agent, joined)));
    const devices = [
      ...[facts("told"), facts("soon"), facts("away", { online: false }), facts("late")],
      facts("full", { shadows: false }),
    ];
    const at = (now: number) => heard(now, { told: now });
    expect(stillToTell(rollout, devices, at(noon + minute))).toEqual(["soon", "late"]);
    const idle = rolloutWith(member("soon", joined), member("late", joined, { since: noon - 9 * minute }));
    expect(stillToTell(idle, devices, at(noon + minute))).toEqual(["soon"]);
    expect(stillToTell(idle, devices, at(noon + 5 * minute))).toEqual([]);
    // One of ten is no more than a tenth; and who was in a stage before was heard there.
    const ten = Array.from({ length: 10 }, (_, i) => `d${i}`);
    const tenJoined = rolloutWith(member("old", former), ...ten.map((agent) => member(agent, joined)));
    const told = (...agents: string[]) => heard(noon, Object.fromEntries(agents.map((agent) => [agent, noon])));
    const all = [facts("old"), ...ten.map((agent) => facts(agent))];
    expect(stillToTell(tenJoined, all, told(...ten.slice(1)))).toEqual([]);
    expect(stillToTell(tenJoined, all, told(...ten.slice(2), "old"))).toEqual(["d0", "d1"]);
    expect(stillToTell(tenJoined, all, told(...ten))).toEqual([]);
  });
});

describe("[R76] the last stage is not held up", () => {
  const fleet = (...agents: string[]) => agents.map((agent) => facts(agent));

  test("by a page that was closed before it told; nor by who tells nothing any more, after the timeout", () => {
    const rollout = rolloutWith(member("old", former), member("new", joined));
    const away = [facts("old"), facts("new", { online: false })];
    const closed = [facts("old"), facts("new", { online: false, page: true })];
    const part = (now: number, devices: DeviceFacts[], told: Record<string, number>) =>
      partsOfJoined(rollout, devices, heard(now, told)).pairs;
    expect(part(noon, closed, { old: noon })).toBe(0);
    expect(part(noon + day - 1, away, { old: noon + day - 1 })).toBe(1 / 2);
    expect(part(noon + day, away, { old: noon + day })).toBe(0);
    const there = fleet("old", "new");
    expect(part(noon + day - 1, there, { old: noon + day - 1 })).toBe(1 / 2);
    expect(part(noon + day, there, { old: noon + day })).toBe(0);
    // It told a little: it is heard as long after that.
    expect(part(noon + day, away, { old: noon + day, new: noon + minute })).toBe(1 / 2);
    expect(part(noon + day + minute, away, { old: noon + day, new: noon + minute })).toBe(0);
  });

  test("by devices that join all day, before they tell; once they do they are heard", () => {
    const rollout = rolloutWith(member("old", former), member("new", joined), member("later", joined + 1));
    const devices = fleet("old", "new", "later");
    expect(stillToTell(rollout, devices, heard(noon, { old: noon, new: noon }))).toEqual([]);
    expect(partsOfJoined(rollout, devices, heard(noon, { old: noon })).pairs).toBe(1 / 2);
    expect(partsOfJoined(rollout, devices, heard(noon, { old: noon, later: noon })).pairs).toBe(2 / 3);
  });

  test("by the few who have just come to count in a large fleet", () => {
    const names = Array.from({ length: 21 }, (_, i) => `d${i}`);
    const rollout = rolloutWith(...names.map((agent) => member(agent, joined)));
    const told = (n: number) => Object.fromEntries(names.slice(0, n).map((agent) => [agent, noon]));
    expect(stillToTell(rollout, fleet(...names), heard(noon, told(18)))).toHaveLength(3);
    expect(stillToTell(rollout, fleet(...names), heard(noon, told(20)))).toEqual([]);
  });

  test("by who gets no label, though labels of what others answered long after its first rows are there", () => {
    const rollout = rolloutWith(member("old", former), member("new", joined), member("later", joined + 1));
    const devices = fleet("old", "new", "later");
    const labels = (reached: number, labelled: Record<string, number> = {}) => {
      const now = noon + 7 * day;
      const { told } = heard(now, { old: noon, new: noon, later: noon });
      const still = new Map([...told].map(([agent, { from }]) => [agent, { from, at: now }]));
      return partsOfJoined(rollout, devices, { ...heard(now, {}, { old: reached, ...labelled }), told: still }).labels;
    };
    // Labels are a week late: those of old come first.
    expect(labels(noon + minute)).toBe(1 / 2);
    expect(labels(noon + day - 1)).toBe(1 / 2);
    expect(labels(noon + day)).toBe(0);
    expect(labels(noon + day, { later: noon + 1 })).toBe(1 / 2);
    expect(labels(noon + day, { later: noon })).toBe(0);
  });
});

test("[R80] an outage longer than the timeout gives up on nobody: who told, who did not, and who is yet to be labelled", () => {
  const members = [member("old", former), member("told", joined), member("silent", joined)];
  const back = noon + 2 * minute + 30 * 60 * minute;
  const rollout = { ...rolloutWith(...members), outages: [{ from: noon + 2 * minute, to: back }] };
  const devices = [facts("old"), facts("told"), facts("silent")];
  // Labels of what the old one answered meanwhile are the first to come.
  const at = (now: number) => heard(now, { old: now, told: noon }, { old: now });
  expect(partsOfJoined(rollout, devices, at(back))).toEqual({ pairs: 2 / 3, labels: 2 / 3 });
  expect(stillToTell(rollout, devices, at(back + minute))).toEqual(["silent"]);
  expect(partsOfJoined(rollout, devices, at(back + day - 2 * minute - 1))).toEqual({ pairs: 2 / 3, labels: 2 / 3 });
  expect(partsOfJoined(rollout, devices, at(back + day - 2 * minute))).toEqual({ pairs: 0, labels: 0 });
});

test("[R78] the last stage says who joined in it and is not heard yet, and what is missing", () => {
  const rollout = rolloutWith(...["a", "b", "c", "d"].map((agent) => member(agent, joined)), member("old", former));
  const devices = ["a", "b", "c", "d", "old"].map((agent) => facts(agent));
  const where = "in the last stage, where those that joined must be heard too";
  expect(whereInLast(rollout, devices, heard(noon, { d: noon }))).toBe(
    `${where} (a and 2 more sent no comparison of both versions yet)`,
  );
  const told = { a: noon, b: noon, c: noon, d: noon };
  expect(whereInLast(rollout, devices, heard(noon, told))).toBe(where);
  const gone = devices.map((one) => ({ ...one, online: one.agent !== "b" }));
  expect(whereInLast(rollout, gone, heard(noon, told))).toBe(`${where} (away: b)`);
  const labelled = { ...rollout, policy: rolloutOf({ metrics: [{ metric: "accuracy", margin: 0.03 }] }).policy };
  expect(whereInLast(labelled, devices, heard(noon, told, { a: noon, b: noon, old: noon, d: noon }))).toBe(
    `${where} (no label came of what c answered)`,
  );
  expect(whereInLast(rolloutWith(member("old", former)), devices, heard(noon))).toBe("in the last stage");
  expect(whereInLast(rollout, devices, heard(noon + day, { ...told, old: noon + day }))).toBe("in the last stage");
});
