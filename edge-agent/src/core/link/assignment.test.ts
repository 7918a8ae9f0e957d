/** Which assignments a device follows: a whole agent against the scripted peer. */
import { describe, expect, it } from "vitest";
import { newKey } from "../test/fake-peer.ts";
import { createDevice, servingDevice, wall } from "../test/harness.ts";

describe("an assignment", () => {
  const refused: [string, string, (peer: ReturnType<typeof createDevice>["peer"]) => void][] = [
    [
      "replayed: the nonce of another hello",
      "replayed",
      (p) => (p.changeAssignment = (a) => ({ ...a, nonce: "0".repeat(32) })),
    ],
    ["of a lower revision", "rollback", (p) => (p.changeAssignment = (a) => ({ ...a, rev: 0 }))],
    ["for another device", "wrong_device", (p) => (p.changeAssignment = (a) => ({ ...a, agent: "station-2" }))],
    ["of another site", "wrong_device", (p) => (p.changeAssignment = (a) => ({ ...a, site: "other" }))],
    ["unsigned", "unsigned", (p) => (p.unsigned = true)],
    ["signed by a key that is not the director's", "bad_signature", (p) => (p.signWith = newKey())],
    ["under another's key id", "bad_signature", (p) => (p.signWith = { ...newKey(), id: p.director.id })],
    ["with expired metadata", "expired", (p) => (p.expires = wall - 1)],
  ];
  it.each(refused)("[S6] is refused: %s", async (_, code, misbehave) => {
    const { peer, run, first } = await servingDevice();
    peer.assign(peer.publish("rain", 2, { scale: 3 }));
    misbehave(peer);
    await run.clock.advance(500);
    expect(
      run.log.entries.filter((entry) => entry.event === "link.hello_failed").map((entry) => entry.fields.code),
    ).toEqual([code]);
    expect(run.slot()).toMatchObject({ serving: { digest: first.digest }, candidate: null });
    expect(peer.reports.at(-1)).toMatchObject({ fault: { code } });
    expect(await run.predict(1)).toMatchObject({ value: 2 });
    peer.changeAssignment = (a) => a;
    peer.unsigned = false;
    peer.signWith = peer.director;
    peer.expires = Number.MAX_SAFE_INTEGER;
    await run.clock.advance(5000);
    expect(run.slot()?.candidate?.state).toBe("probation");
    expect(peer.reports.at(-1)?.fault).toBeUndefined();
  });

  it("is followed by a device whose clock is ahead, once it knows the director", async () => {
    const { peer, run, start, disk } = await servingDevice();
    disk.kill();
    run.transport.disconnect();
    peer.expires = wall + 86_400_000;
    peer.assign(peer.publish("rain", 2, { scale: 3 }));
    const ahead = await start({ deviceClock: Date.UTC(2099, 0, 1) });
    await ahead.connect();
    expect(ahead.slot()?.candidate?.state).toBe("probation");
    disk.kill();
    ahead.transport.disconnect();
    const fresh = createDevice();
    fresh.peer.expires = wall + 86_400_000;
    fresh.peer.assign(fresh.peer.publish("rain", 1, { scale: 2 }));
    const unknowing = await fresh.start({ deviceClock: Date.UTC(2099, 0, 1) });
    await unknowing.connect();
    expect(unknowing.log.entries.some((entry) => entry.fields.code === "expired")).toBe(true);
    expect(unknowing.slot()).toBeUndefined();
  });

  it("[S7] is not followed with expired metadata by a device whose clock is behind", async () => {
    const device = createDevice();
    device.peer.expires = wall - 1;
    device.peer.assign(device.peer.publish("rain", 1, { scale: 2 }));
    const behind = await device.start({ deviceClock: 0 });
    await behind.connect();
    expect(behind.log.entries.some((entry) => entry.fields.code === "expired")).toBe(true);
    expect(behind.slot()).toBeUndefined();
  });

  it("is asked for with backoff while the control plane is mute", async () => {
    const device = createDevice();
    device.peer.mute = true;
    const run = await device.start();
    await run.connect();
    await run.clock.advance(120_000);
    const hellos = device.peer.requests.length;
    expect(hellos).toBeGreaterThan(3);
    expect(hellos).toBeLessThan(9);
  });
});
