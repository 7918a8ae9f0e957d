/** What happens by itself once a signer signed, what stops it, and the gate's key: with a real gate and the commands. */
import { join } from "node:path";
import type { RolloutFacts } from "@vedette/protocol/rollouts-api";
import { expect, test, vi } from "vitest";
import { signerSite } from "../../test/signer-site.ts";
import { abilities, enroll, hello } from "../../test/site.ts";
import { openOnlineKeys } from "../release/online-keys.ts";

/** Each report runs the model twice, in processes of their own. */
vi.setConfig({ testTimeout: 180_000 });

/** A device on version 1, which follows what it is assigned. */
async function withDevice(at: Awaited<ReturnType<typeof signerSite>>) {
  const seen = { ...abilities, kernelAbi: 2 };
  await enroll(at.site, "pump-1");
  await hello(at.site, "pump-1", { abilities: seen });
  await at.site.call("POST", "/v1/assignments", { model: "pump", version: 1, selector: { all: true } });
  const rollouts = async () => {
    const { body } = await at.site.call("GET", "/v1/rollouts");
    return (body as { rollouts: RolloutFacts[] }).rollouts.toReversed();
  };
  const later = async (ms = 5_000) => {
    at.clock.advance(ms);
    await hello(at.site, "pump-1", { abilities: seen });
  };
  return { rollouts, later };
}

test("[H17] what a signer signed is rolled out by itself where its model says so: the newest, once, over restarts; a freeze stops all of it", async () => {
  const at = await signerSite();
  const { propose, init, delegate, ops, release, restart, actions, versions } = at;
  const { rollouts, later } = await withDevice(at);
  await propose("1h");
  const signer = await init("signer");
  await delegate(["signer"], 1);
  const sign = async () => expect(await signer("signer", "run", "--once")).toMatchObject({ code: 0 });

  // Nothing begins by itself before somebody says so, nor later for what was released before.
  await sign();
  await later();
  await vi.waitFor(async () => expect(await at.site.call("GET", "/v1/releases/1")).toMatchObject({ status: 200 }));
  expect(await ops("release", "auto", "--model", "pump", "--stages", "canary:0.5")).toMatchObject({ code: 1 });
  const both = await ops("release", "auto", "--model", "pump", "--off", "--stages", "canary:1");
  expect(both).toMatchObject({ code: 1, err: expect.stringContaining("--off takes the policy away") });
  const on = await ops("release", "auto", "--model", "pump", "--stages", "canary:1");
  expect(on).toMatchObject({ code: 0, out: "pump goes out by itself (canary 100 %).\n" });
  await later();
  expect(await rollouts()).toEqual([]);

  const second = await propose("2h");
  await sign();
  await later();
  await vi.waitFor(async () => {
    expect(await rollouts()).toMatchObject([{ version: 3, createdBy: "hands-free", state: "running" }]);
  }, 60_000);
  await vi.waitFor(async () => expect(await release(second.id)).toMatchObject({ rollout: { id: 1 } }), 10_000);
  await restart();
  await later();
  await later();
  expect(await rollouts()).toHaveLength(1);

  // At two in the morning: one command.
  const freeze = ["release", "freeze", "--model", "pump", "--reason", "odd labels"];
  expect(await ops(...freeze)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/FROZEN by ops.*\nRollout 1 is paused/s),
  });
  expect(await rollouts()).toMatchObject([{ state: "paused", why: "odd labels" }]);
  expect(await propose("3h")).toMatchObject({ state: "frozen", why: expect.stringContaining("odd labels") });
  expect((await signer("signer", "run", "--once")).out).toBe("Nothing to sign.\n");
  await later(60_000);
  expect(await versions()).toHaveLength(3);
  expect(await rollouts()).toHaveLength(1);

  expect(await ops("release", "thaw", "--model", "pump", "--reason", "it was the labels")).toMatchObject({ code: 0 });
  await sign();
  await propose("4h");
  await sign();
  await later();
  // The newest waits for the one that is under way, and takes the place of the one that waited for it.
  expect(await rollouts()).toMatchObject([
    { version: 3, state: "paused" },
    { version: 4, state: "aborted", why: "version 5 took its place" },
    { version: 5, state: "queued" },
  ]);
  expect(await actions()).toEqual(
    expect.arrayContaining([
      "ops release.hands_free",
      "hands-free rollout.start",
      "hands-free release.begin_rollout",
      "ops release.freeze",
      "ops rollout.pause",
      "ops release.thaw",
    ]),
  );
});

test("[H18] the gate's key is rotated: what matters is checked anew and signed by it, a rollout goes on, and a signer once it is told", async () => {
  const at = await signerSite();
  const { propose, init, delegate, ops, gateKey, release, actions, restart } = at;
  const { rollouts, later } = await withDevice(at);
  await propose("1h");
  const signer = await init("signer");
  await delegate(["signer"], 1);
  expect(await signer("signer", "run", "--once")).toMatchObject({ code: 0 });
  const stages = ["--stages", "canary:1"];
  expect(await ops("rollout", "start", "--model", "pump", "--version", "2", ...stages)).toMatchObject({ code: 0 });
  const waiting = await propose("2h");
  const before = await gateKey();

  expect(await ops("keys", "rotate", "--role", "gate")).toMatchObject({
    code: 0,
    out: expect.stringContaining("signer set"),
  });
  const after = await gateKey();
  expect(after).not.toBe(before);
  expect(await ops("gate", "show", "--model", "pump", "--version", "2")).toMatchObject({
    out: expect.stringMatching(/passed the gate/),
  });
  // Neither the newest, nor rolled out, nor proposed: checked again when somebody asks.
  expect(await ops("gate", "show", "--model", "pump", "--version", "1")).toMatchObject({
    out: expect.stringMatching(/has not been checked/),
  });
  await later(2_000);
  expect(await rollouts()).toMatchObject([{ version: 2, state: "running" }]);
  expect(await actions()).toContain("ops online_key.rotate");
  await restart();
  expect(await gateKey()).toBe(after);

  expect(await signer("signer", "run", "--once")).toMatchObject({ code: 3, out: expect.stringContaining("was told") });
  expect(await release(waiting.id)).toMatchObject({ state: "refused" });
  expect(await signer("signer", "set", "--remove-gate-key", before)).toMatchObject({ code: 1 });
  const told = ["--add-gate-key", after, "--remove-gate-key", before];
  expect(await signer("signer", "set", ...told)).toMatchObject({ code: 0 });
  expect(await signer("signer", "run", "--once")).toMatchObject({ code: 0, out: expect.stringContaining("version 3") });

  // A rotation that a stop cut short is brought to its end, and no rollout ends for it either.
  await at.site.close();
  const staged = await (await openOnlineKeys(join(at.site.home, "data", "online-keys"))).stage("gate");
  await restart();
  expect((await ops("gate", "key", "--json")).json()).toEqual({ key: after, next: staged.publicKeyHex });
  await later(60_000);
  await vi.waitFor(async () => expect(await gateKey()).toBe(staged.publicKeyHex), 60_000);
  await later(2_000);
  expect(await rollouts()).toMatchObject([{ version: 2, state: "running" }]);
});
