/** A rollout of devices by label, while labels change. */
import { expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { rolloutSite } from "../../test/rollout-site.ts";
import { verdictOf } from "../../test/rollout-world.ts";
import { enroll, hello, initialiseTrust, publish, startSite } from "../../test/site.ts";

const one = makeBundle("rain", "one");
const two = makeBundle("rain", "two");

test("[R37] a member keeps its place when its labels change: nothing is assigned beside it, and to others it is", async () => {
  const site = await startSite({ parts: { judge: async () => verdictOf("undecided") } });
  const operator = await initialiseTrust(site);
  await publish(site, operator, [one]);
  await publish(site, operator, [one, two]);
  for (const name of ["gauge-1", "gauge-2"]) await enroll(site, name);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  const greet = async (name: string, city: string) => {
    await site.fleet.presence(name, true, 1);
    return (await hello(site, name, { labels: { city } })).assignment?.slots[0]?.digest;
  };
  await greet("gauge-1", "seattle");
  await greet("gauge-2", "portland");
  const policy = { selector: { labels: { city: "seattle" } }, stages: [{ kind: "canary", share: 1 }] };
  const started = await site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy });
  expect(started).toMatchObject({ status: 200, body: { eligible: 1 } });
  expect(await greet("gauge-1", "portland")).toBe(two.digest);
  const assign = (agent: string) =>
    site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { devices: [agent] } });
  expect(await assign("gauge-1")).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining("rollout 1") } },
  });
  expect(await assign("gauge-2")).toMatchObject({ status: 200 });
});

test("[R66] a device that two rollouts come to name in the same round is a member of one of them alone", async () => {
  const judge = async ({ id }: { id: number }) => verdictOf(id === 2 ? "promote" : "undecided");
  const { site, live, start, look } = await rolloutSite({ parts: { judge } });
  const seattle = { city: "seattle" };
  await live(20, { "gauge-1": seattle });
  await start({ selector: { labels: seattle }, stages: [{ kind: "canary", share: 1 }] });
  const devices = ["gauge-2", "gauge-3"];
  const stages = [
    { kind: "canary" as const, share: 0.5 },
    { kind: "canary" as const, share: 1 },
  ];
  await start({ selector: { devices }, stages });
  const [first = ""] = (await look(2)).members.map(({ agent }) => agent);
  const next = devices.find((agent) => agent !== first) ?? "";
  // It moves to Seattle in the moment in which the other's second stage, which names it, begins.
  await live(20, { "gauge-1": seattle, [next]: seattle });
  site.clock.advance(2_000);
  const members = async (id: number) => (await look(id)).members.map(({ agent }) => agent).toSorted();
  expect([await members(1), await members(2)]).toEqual([["gauge-1", next], [first]]);
  const { members: ofFirst } = await look(1);
  expect(ofFirst.find(({ agent }) => agent === next)).toMatchObject({ state: "updating" });
});
