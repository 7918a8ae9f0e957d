/** Rollouts under a control plane's clock that was ahead: restarted after it was put right, and by the hours of the day. */
import { expect, test } from "vitest";
import { manualClock } from "../../test/clock.ts";
import { rolloutSite } from "../../test/rollout-site.ts";

const hour = 3_600_000;
const whole = [{ kind: "canary" as const, share: 1 }];

test("[R65] a clock that was ten years ahead, put right and restarted, hides nothing of what is bad, and stops no ramp", async () => {
  const clock = manualClock();
  const right = clock.now();
  clock.set(right + 87_600 * hour);
  const first = await rolloutSite({ clock });
  await first.live();
  await first.start({ stages: whole, ramp: { perHour: 1 } });
  await first.live();
  const canary = (await first.look()).members.find(({ state }) => state === "updating")?.agent ?? "";
  await first.site.close();
  clock.set(right + hour);
  const second = await rolloutSite({ clock, home: first.site.home });
  await second.live();
  // At half its pace, until the clock has caught up.
  clock.advance(2 * hour);
  await second.live();
  const { members } = await second.round();
  expect(members.filter(({ state }) => state === "waiting")).toHaveLength(2);
  expect(await second.tell(canary, [0, 0, 200, 0])).not.toHaveProperty("refused");
  await second.round();
  expect(await second.look()).toMatchObject({ state: "rolled_back", why: expect.stringContaining("unfit") });
});

test("[R79] a control plane that was down for hours finds nobody late, and nothing undecided for too long", async () => {
  const first = await rolloutSite();
  await first.live();
  await first.start({ stages: whole, timeoutMinutes: 60, undecided: { afterMinutes: 90, end: "rollback" } });
  await first.live(0);
  await first.round();
  await first.site.close();
  const { clock, home } = first.site;
  clock.advance(5 * hour);
  const { site, live, look, round } = await rolloutSite({ clock, home });
  await live(0);
  const { state, members } = await round();
  expect([state, members.map((member) => member.state)]).toEqual(["running", Array(4).fill("updating")]);
  const { body } = await site.call("GET", "/v1/audit?subject=rollout-1&limit=100");
  expect(body).toMatchObject({
    entries: expect.arrayContaining([
      expect.objectContaining({
        action: "rollout.put_off",
        detail: expect.objectContaining({ minutes: 300, why: expect.stringContaining("nobody looked") }),
      }),
    ]),
  });
  const pass = async (minutes: number) => {
    for (let at = 0; at < minutes; at += 4) {
      clock.advance(4 * 60_000);
      await live(0);
      await round();
    }
    return look();
  };
  expect((await pass(60)).members.map((member) => member.state)).toEqual(Array(4).fill("timed_out"));
  expect(await pass(40)).toMatchObject({ state: "rolled_back", why: expect.stringContaining("90 minutes") });
  const policy = { stages: whole, timeoutMinutes: 60, undecided: { afterMinutes: 90, end: "rollback" } };
  const replayed = (await site.call("POST", "/v1/rollouts/1/replay", { policy })).body;
  expect(replayed).toMatchObject({ would: { state: "rolled_back", endedAt: (await look()).endedAt } });
});

test("[R65] set forward and back in the middle of a rollout, windows and times of day are those of the clock on the wall", async () => {
  // Noon.
  const { site, live, start, look, round } = await rolloutSite();
  await live();
  const now = site.clock.now();
  const startAt = new Date(now + 10 * hour).toISOString();
  await start({ stages: whole, startAt, window: { from: "23:00", until: "01:00" } });
  const at = async (hours: number) => {
    site.clock.set(now + hours * hour);
    await live(0);
    const { state, members } = await round();
    return [state, members.filter((member) => member.state !== "waiting").length];
  };
  site.clock.set(now + 9 * hour);
  expect((await look()).state).toBe("scheduled");
  site.clock.set(now);
  expect(await at(5)).toEqual(["scheduled", 0]);
  expect(await at(10.5)).toEqual(["running", 0]);
  expect(await at(11.2)).toEqual(["running", 4]);
});
