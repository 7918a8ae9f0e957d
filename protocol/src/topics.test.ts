import fc from "fast-check";
import { expect, test } from "vitest";
import { logPartitions, mayPublish, maySubscribe, parseTopic, partitionOf, topics, uplinkFilters } from "./topics.ts";

const site = "rain";
const sha = "0a".repeat(32);
const mine = topics(site);
const upward = [
  mine.reported("a1"),
  mine.presence("a1"),
  mine.heartbeat("a1"),
  mine.request("a1"),
  mine.pull("a1"),
  mine.outcome("a1"),
  mine.drift("a1"),
  mine.shadow("a1"),
  mine.log("a1", "rain-gauge"),
];
const downward = [
  mine.desired("a1"),
  mine.response("a1"),
  mine.command("a1"),
  mine.driftAck("a1"),
  mine.shadowAck("a1"),
  mine.chunk("a1", sha),
  mine.ack("a1", "rain-gauge"),
  mine.blob(sha),
  mine.controlPlane,
];

test("[T1] every topic parses back, fits 8 levels and holds only safe characters", () => {
  for (const topic of [...upward, ...downward]) {
    expect(parseTopic(topic)).toMatchObject({ site });
    expect(topic).toMatch(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+){1,7}$/);
  }
});

test("[T2] a device may publish its own upward topics and subscribe to its own downward ones, and nothing else", () => {
  for (const topic of upward)
    expect([mayPublish(site, "a1", topic), maySubscribe(site, "a1", topic)]).toEqual([true, false]);
  for (const topic of downward)
    expect([mayPublish(site, "a1", topic), maySubscribe(site, "a1", topic)]).toEqual([false, true]);
  for (const topic of upward) expect(mayPublish(site, "a2", topic)).toBe(false);
  for (const topic of downward.slice(0, 6)) expect(maySubscribe(site, "a2", topic)).toBe(false);
  for (const topic of [...upward, ...downward])
    expect(mayPublish("other", "a1", topic) || maySubscribe("other", "a1", topic)).toBe(false);
});

test("[T3] wildcards, shared subscriptions and broken topics are none of ours", () => {
  const strange = [
    "#",
    "+",
    "vd1/rain/#",
    "vd1/rain/a/+/desired",
    `$share/g/${mine.blob(sha)}`,
    "$SYS/x",
    "",
    "/",
    `${mine.blob(sha)}/`,
    "vd1/rain/a/a1/desired/x",
    "vd1/rain/blob/zz",
    "vd1/rain/log/99/a1/m",
    "vd1/rain/a//desired",
  ];
  for (const topic of strange) expect(parseTopic(topic)).toBeUndefined();
});

test("[T3] no random text is granted to a device unless it is exactly one of its topics", () => {
  const words = fc.constantFrom(
    "vd1",
    "rain",
    "a",
    "a1",
    "a2",
    "desired",
    "log",
    "blob",
    "+",
    "#",
    "$share",
    "..",
    "",
    "cp",
    sha,
    "ack",
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 8 }), (levels) => {
      const topic = levels.join("/");
      if (mayPublish(site, "a1", topic) || maySubscribe(site, "a1", topic)) expect(topic).toMatch(/^[A-Za-z0-9_/-]+$/);
      expect(mayPublish(site, "a1", topic) && !topic.includes("a1")).toBe(false);
    }),
  );
});

test("what a control plane listens to is every device's upward topics, and nothing that it sends itself", () => {
  const heard = (topic: string) => {
    const levels = topic.split("/");
    return uplinkFilters(site).filter((filter) => {
      const wanted = filter.split("/");
      return wanted.length === levels.length && wanted.every((level, i) => level === "+" || level === levels[i]);
    }).length;
  };
  expect(upward.map(heard)).toEqual(upward.map(() => 1));
  expect(downward.map(heard)).toEqual(downward.map(() => 0));
  expect(heard(topics("other").reported("a1"))).toBe(0);
});

test("[T4] partitions are stable and spread", () => {
  expect([partitionOf("seattle-1"), partitionOf("new-york-1"), partitionOf("page")]).toEqual([13, 5, 6]);
  const seen = new Set(Array.from({ length: 400 }, (_, i) => partitionOf(`station-${i}`)));
  expect(seen.size).toBe(logPartitions);
});
