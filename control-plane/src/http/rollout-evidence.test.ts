/** A live rollout judged by parcels that devices really sent: nothing is pretended but the devices. */
import { rollout as rolloutSchema } from "@vedette/protocol/rollouts-api";
import type { ShadowParcel } from "@vedette/protocol/shadow";
import { expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { enroll, hello, initialiseTrust, publish, startSite } from "../../test/site.ts";

const one = makeBundle("rain", "one");
const two = makeBundle("rain", "two");
const names = ["gauge-1", "gauge-2", "gauge-3", "gauge-4"];
const metrics = [{ metric: "unfit", margin: 0.02 }];
const shadow = {
  stages: [
    { kind: "shadow", share: 1 },
    { kind: "canary", share: 1 },
  ],
  metrics,
};

test("[R27] a replay of a live rollout, which takes other devices, changes nothing of how that is judged", async () => {
  const site = await startSite();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [one]);
  await publish(site, operator, [one, two]);
  for (const name of names) await enroll(site, name);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  const greet = async () => {
    for (const name of names) {
      await site.fleet.presence(name, true, 1);
      await hello(site, name);
    }
  };
  await greet();
  await site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: shadow });
  await greet(); // their assignments name the pair
  let n = 0;
  const send = async (agent: string) => {
    const latency: ShadowParcel["counts"]["latency"] = { answering: [[200, 10]], beside: [[200, 10]] };
    const sent = await site.fleet.shadow(agent, {
      ...{ model: "rain", answering: one.digest, beside: two.digest, disagreements: [], omitted: 0 },
      window: { epoch: "0123456789abcdef", n: n++, from: 0, to: 1 },
      counts: {
        ...{ rows: 10, skipped: 0, fit: [10, 0, 0, 0], agreed: 10, table: [[0, 0, 10]], value: null, latency },
        confidence: { n: 10, sum: 0, sumSquares: 0 },
      },
    });
    expect(sent).not.toHaveProperty("refused");
  };
  const pairs = async () => {
    site.clock.advance(61_000);
    const { verdict } = rolloutSchema.parse((await site.call("GET", "/v1/rollouts/1")).body);
    return verdict?.findings.find(({ metric }) => metric === "unfit")?.n;
  };

  for (const name of names) await send(name);
  expect(await pairs()).toBe(40);
  const other = {
    stages: [
      { kind: "canary", share: 0.25 },
      { kind: "canary", share: 1 },
    ],
  };
  const policy = { ...other, metrics: [{ metric: "unfit", margin: 0.5 }] };
  expect((await site.call("POST", "/v1/rollouts/1/replay", { policy })).status).toBe(200);
  await send("gauge-1");
  expect(await pairs()).toBe(50);
});
