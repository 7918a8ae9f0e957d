/** The last stage, through a whole control plane: whom it waits for, what it says of them, and when it waits no more. */
import type { Reported } from "@vedette/protocol/messages";
import { expect, test } from "vitest";
import { canaries, names, newer, one, rolloutSite, two } from "../../test/rollout-site.ts";
import { hello } from "../../test/site.ts";

/** Its first canary has passed, has told enough in the last stage, too, and the three that joined count. */
async function inLastStage() {
  const of = await rolloutSite();
  const { live, tell, start, look, round } = of;
  await live();
  await start({ stages: canaries });
  await live();
  const first = (await look()).members[0]?.agent ?? "";
  await tell(first, [1000, 0, 0, 0]);
  expect(await round()).toMatchObject({ stage: 1 });
  await live();
  await round();
  await tell(first, [1000, 0, 0, 0]);
  return { ...of, joined: names.filter((name) => name !== first) };
}

test("[R78] while those who joined have told nothing the rollout says who, and that their word is missing", async () => {
  const { joined, round, tell, site } = await inLastStage();
  const { why, state, verdict } = await round();
  expect([state, verdict?.of]).toEqual(["running", "last_stage"]);
  expect(why).toMatch(/^stage 2 of 2 \(canary 100 %\): in the last stage, where those that joined must be heard too/);
  expect(why).toMatch(/\(gauge-\d and 2 more sent no comparison of both versions yet\): unfit: no row counts yet/);
  await tell(joined[0] ?? "", [400, 0, 0, 0]);
  await tell(joined[1] ?? "", [400, 0, 0, 0]);
  expect((await round()).why).toMatch(
    new RegExp(`: waits some minutes for what ${joined[2]} will tell; so far: unfit`),
  );
  // It is there, and nobody asks it any more.
  site.clock.advance(5 * 60_000);
  expect(await round()).toMatchObject({ state: "promoted" });
});

test("[R76] devices that find no memory for both, or cannot run the incumbent any more, are not waited for", async () => {
  const { joined, round, site } = await inLastStage();
  site.clock.advance(60 * 60_000);
  expect(await round()).toMatchObject({ state: "running", why: expect.stringContaining("gauge-") });
  for (const [i, agent] of joined.entries()) {
    const { assignment } = await hello(site, agent, { abilities: newer });
    const serving = { digest: two.digest, release: 2 };
    const trouble = i === 0 ? { state: "rejected" } : { state: "fetching", reason: "lacks_memory" };
    const beside = { digest: one.digest, release: 1, answering: two.digest, pairs: 0, skipped: 0, ...trouble };
    const told = { model: "rain", serving, previous: null, candidate: null, served: 20, drift: [], beside };
    const report: Reported = {
      ...{ agent, rev: assignment?.rev ?? 0, at: 0, abilities: newer, labels: {} },
      slots: [{ ...told, sources: {}, reasons: {} }],
    };
    await site.fleet.reported(agent, report);
  }
  expect(await round()).toMatchObject({ state: "promoted" });
});

test("[R80] after an outage of 30 hours those who joined before it are still waited for", async () => {
  const { joined, round, site } = await inLastStage();
  await round();
  await site.close();
  const { clock, home } = site;
  clock.advance(30 * 60 * 60_000);
  const back = await rolloutSite({ clock, home });
  await back.live();
  const { state, why } = await back.round();
  expect([state, why]).toEqual(["running", expect.stringContaining("and 2 more sent no comparison")]);
  for (const agent of joined) await back.tell(agent, [400, 0, 0, 0], "00000000000000bb");
  expect(await back.round()).toMatchObject({ state: "promoted" });
});
