/** Rollouts of which a version is revoked while they go on. */
import { rollout as rolloutSchema } from "@vedette/protocol/rollouts-api";
import { expect, test } from "vitest";
import { names, one, publishTwo, two } from "../../test/rollout-site.ts";
import { verdictOf } from "../../test/rollout-world.ts";
import { startSite, trustOf } from "../../test/site.ts";
import { followersOf, running, stages } from "../../test/steered-site.ts";

test("[R26] revoking the candidate aborts its rollout", async () => {
  const site = await startSite({ parts: { judge: async () => verdictOf("undecided") } });
  const operator = await publishTwo(site);
  const devices = followersOf(site, names);
  await devices.live(1);
  await site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: { stages: [stages[1]] } });
  expect(running(await devices.live(1), two)).toBe(4);
  // The project takes version 2 from its list.
  const listed = [{ digest: one.digest, length: one.length, release: 1 }];
  await site.call("PUT", "/v1/trust/metadata", { metadata: [operator.project("rain", listed, { version: 3 })] });
  site.clock.advance(2_000);
  expect((await site.call("GET", "/v1/rollouts/1")).body).toMatchObject({ state: "aborted" });
  expect(running(await devices.live(1), one)).toBe(4);
});

test("[H19] where what a rollout returns to is revoked it stops and says so; taken back, nobody keeps it for want of another", async () => {
  const site = await startSite({ parts: { judge: async () => verdictOf("undecided") } });
  const operator = await publishTwo(site);
  const devices = followersOf(site, names);
  await devices.live(1);
  await site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: { stages } });
  const given = [...(await devices.live(1))].flatMap(([agent, digest]) => (digest === two.digest ? [agent] : []));
  expect(given).toHaveLength(1);
  const [canary = ""] = given;
  const round = async () => {
    site.clock.advance(2_000);
    return rolloutSchema.parse((await site.call("GET", "/v1/rollouts/1")).body);
  };
  expect(await round()).toMatchObject({ state: "running" });

  // Version 1 is revoked while version 2 is on one device.
  const { versions } = await trustOf(site);
  const floor = operator.targets({ version: (versions.targets ?? 0) + 1, models: ["rain"], floors: { rain: 2 } });
  expect(await site.call("PUT", "/v1/trust/metadata", { metadata: [floor] })).toMatchObject({ status: 200 });
  const nothing = `1 of its devices have nothing to return to (${canary}: rain version 1 is revoked`;
  expect(await round()).toMatchObject({ state: "paused", why: expect.stringContaining(nothing) });
  // No revoked version is assigned; who answers by the candidate goes on, the others have none.
  expect([...(await devices.live(1))]).toEqual([[canary, two.digest]]);
  expect((await round()).leftOut).toEqual(
    expect.arrayContaining([{ agent: expect.any(String), reason: expect.stringContaining("is revoked") }]),
  );
  await site.call("POST", "/v1/rollouts/1/resume", {});
  expect(await round()).toMatchObject({ state: "paused", why: expect.stringContaining(nothing) });

  await site.call("POST", "/v1/rollouts/1/abort", { reason: "enough" });
  expect([...(await devices.live(1))]).toEqual([]);
  expect((await site.call("GET", "/v1/production")).body).toMatchObject({
    models: [
      {
        versions: expect.arrayContaining([
          expect.objectContaining({
            version: 1,
            pending: expect.arrayContaining([
              { agent: canary, state: "withheld", reason: expect.stringContaining("is not its own: assign another") },
            ]),
          }),
        ]),
      },
    ],
  });
  // An operator's own word.
  await site.call("POST", "/v1/assignments", { model: "rain", version: 2, selector: { devices: [canary] } });
  expect([...(await devices.live(1))]).toEqual([[canary, two.digest]]);
});
