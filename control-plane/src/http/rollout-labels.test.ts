/** A rollout of devices by label, while labels change. */
import { expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
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
