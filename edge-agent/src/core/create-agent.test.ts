import type { VedetteError } from "@vedette/protocol/errors";
import { describe, expect, it } from "vitest";
import { newKey } from "./test/fake-peer.ts";
import { createDevice, wall } from "./test/harness.ts";

/** A device that serves release 1 (y = 2x), and is online. */
async function serving() {
  const device = createDevice();
  const first = device.peer.publish("rain", 1, { scale: 2 });
  device.peer.assign(first);
  const run = await device.start();
  await run.connect();
  for (let i = 0; i < 3; i++) await run.predict(1);
  expect(run.slot()?.serving?.digest).toBe(first.digest);
  return { ...device, first, run };
}

describe("an agent", () => {
  it("installs what is assigned, proves it, and serves it after its probation", async () => {
    const device = createDevice();
    const { peer } = device;
    const version = peer.publish("rain", 7, { scale: 2 });
    peer.assign(version);
    const run = await device.start();
    await run.connect();
    expect(run.slot()).toMatchObject({
      serving: null,
      candidate: { digest: version.digest, state: "probation", passed: 0, of: 3 },
    });
    expect(await run.predict(4)).toMatchObject({ source: "model", value: 8 });
    await run.predict(5);
    expect(run.slot()?.serving).toBeNull();
    expect(peer.requests.map((request) => request.kind)).toEqual(["hello", "metadata", "manifest"]);
    await run.predict(6);
    expect(run.slot()).toMatchObject({ serving: { digest: version.digest, release: 7 }, candidate: null, served: 3 });
    expect(peer.presence).toEqual([{ on: 1, sid: 1 }]);
    expect(peer.pulls).toEqual([]);
    await run.clock.advance(1000);
    expect(peer.reports.at(-1)?.slots[0]).toMatchObject({ serving: { digest: version.digest }, served: 3 });
    await run.agent.stop();
    expect(peer.presence.at(-1)).toEqual({ on: 0, sid: 1 });
    await expect(run.agent.predict({ model: "rain", rows: Float32Array.of(1) })).rejects.toMatchObject({
      code: "not_ready",
    });
  });

  it("[K2] boots offline and serves", async () => {
    const { disk, start, run, first } = await serving();
    disk.kill();
    run.transport.disconnect();
    const next = await start();
    expect(next.agent.models()).toMatchObject([{ name: "rain", version: { digest: first.digest, release: 1 } }]);
    expect(await next.predict(3)).toMatchObject({ source: "model", value: 6 });
    expect(next.slot()?.served).toBe(4);
  });

  it("subscribes each topic once a connection, and forgets nothing on the next", async () => {
    const { peer, run } = await serving();
    const topics = [...peer.subscriptions].sort();
    expect(topics).toEqual(
      ["ack/rain", "cmd", "dack", "desired", "res"].map((end) => `vd1/demo/a/station-1/${end}`).concat("vd1/demo/cp"),
    );
    run.transport.disconnect();
    await run.connect();
    expect([...peer.subscriptions].sort()).toEqual(topics);
  });

  it("follows a hint at a new revision, and sends only what changed", async () => {
    const { peer, run, first, disk } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    peer.requests.length = 0;
    peer.assign(second);
    await run.clock.advance(500);
    expect(peer.requests.map((request) => request.kind)).toEqual(["hello", "metadata", "manifest"]);
    for (let i = 0; i < 3; i++) expect(await run.predict(1)).toMatchObject({ value: 3 });
    expect(run.slot()).toMatchObject({ serving: { digest: second.digest }, previous: { digest: first.digest } });
    const third = peer.publish("rain", 3, { scale: 4 });
    peer.assign(third);
    await run.clock.advance(500);
    for (let i = 0; i < 3; i++) await run.predict(1);
    await run.clock.advance(10);
    expect(run.slot()).toMatchObject({ serving: { digest: third.digest }, previous: { digest: second.digest } });
    expect(disk.paths().filter((path) => path.startsWith("manifests/"))).toEqual(
      [second, third].map((each) => `manifests/${each.digest}.json`).sort(),
    );
  });

  it("[V3] goes back to the previous version when that is assigned, without fetching a chunk", async () => {
    const { peer, run, first } = await serving();
    peer.assign(peer.publish("rain", 2, { scale: 3 }));
    await run.clock.advance(500);
    for (let i = 0; i < 3; i++) await run.predict(1);
    peer.blobs.clear();
    peer.manifests.clear();
    peer.assign(first);
    await run.clock.advance(500);
    expect(await run.predict(1)).toMatchObject({ value: 2 });
  });

  it("says hello anew to a new incarnation of the control plane, after a while", async () => {
    const { peer, run } = await serving();
    const birth = (incarnation: string) => peer.retain("vd1/demo/cp", JSON.stringify({ on: true, incarnation }));
    birth("a");
    await run.clock.advance(2000);
    peer.requests.length = 0;
    birth("b");
    await run.clock.advance(0);
    expect(peer.requests).toEqual([]);
    await run.clock.advance(1000);
    expect(peer.requests.map((request) => request.kind)).toEqual(["hello", "metadata"]);
  });

  it("stops serving what is no longer assigned, and keeps its files", async () => {
    const { peer, run, first, disk } = await serving();
    peer.assign();
    await run.clock.advance(500);
    expect(await run.predict(1)).toMatchObject({ source: "none" });
    expect(run.slot()).toMatchObject({ serving: null, previous: { digest: first.digest } });
    expect(disk.paths()).toContain(`manifests/${first.digest}.json`);
  });

  it("keeps several models apart", async () => {
    const { peer, run, first, start, disk } = await serving();
    const flood = peer.publish("flood", 1, { scale: 10 });
    peer.assign(first, flood);
    await run.clock.advance(500);
    expect(await run.predict(1, "flood")).toMatchObject({ value: 10 });
    expect(await run.predict(1)).toMatchObject({ value: 2 });
    expect(peer.subscriptions).toContain("vd1/demo/a/station-1/ack/flood");
    for (let i = 0; i < 2; i++) await run.predict(1, "flood");
    peer.assign(flood);
    await run.clock.advance(500);
    expect(await run.predict(1)).toMatchObject({ source: "none", reason: "no_model" });
    expect(await run.predict(1, "flood")).toMatchObject({ value: 10 });
    await expect(run.predict(1, "other")).rejects.toMatchObject({ code: "not_found" });
    disk.kill();
    const next = await start();
    expect(await next.predict(1, "flood")).toMatchObject({ value: 10 });
  });

  it("stops whole where its disk fails: says goodbye, closes its connection, and tells what failed", async () => {
    const { run, disk } = await serving();
    await run.predict(1);
    disk.kill();
    const stopped = run.agent.stop().then(
      () => "stopped",
      (error: VedetteError) => error.code,
    );
    await run.clock.advance(5000);
    expect(await stopped).toBe("storage_failed");
    expect(run.transport.connected).toBe(false);
    expect(run.clock.waiting).toBe(0);
  });

  it("serves the other models where one model's pins are damaged, and mends that one when online", async () => {
    const { peer, run, first, start, disk } = await serving();
    peer.assign(first, peer.publish("flood", 1, { scale: 10 }));
    await run.clock.advance(500);
    for (let i = 0; i < 3; i++) await run.predict(1, "flood");
    disk.kill();
    run.transport.disconnect();
    disk.poke("pins/rain.json", new Uint8Array([1, 2, 3]));
    disk.poke("pins/rain.json.copy", new Uint8Array([1, 2, 3]));
    const next = await start();
    expect(await next.predict(1, "flood")).toMatchObject({ value: 10 });
    expect(await next.predict(1)).toMatchObject({ source: "none" });
    await next.connect();
    expect(await next.predict(1)).toMatchObject({ value: 2 });
  });

  it("waits where the site's trust is not initialised", async () => {
    const device = createDevice();
    device.peer.initialised = false;
    const run = await device.start();
    await run.connect();
    expect(run.agent.status()).toMatchObject({ rev: 0, slots: [] });
    expect(run.log.entries.filter((entry) => entry.level !== "info")).toEqual([]);
  });
});

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
    const { peer, run, first } = await serving();
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
    const { peer, run, start, disk } = await serving();
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

describe("a candidate", () => {
  it("[S8] under the floor is refused, and a serving version that falls under it serves no more", async () => {
    const { peer, run, first } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    peer.floors = { rain: 3 };
    peer.assign(second);
    await run.clock.advance(500);
    expect(run.slot()).toMatchObject({
      serving: null,
      previous: null,
      candidate: { state: "rejected", reason: "revoked" },
    });
    expect(await run.predict(1)).toMatchObject({ source: "none" });
    expect(first.release).toBeLessThan(3);
  });

  it.each<[string, string, { untarget?: true; release?: number; manifest?: true }]>([
    ["that no release key signed", "unknown_target", { untarget: true }],
    ["whose release the director and the release keys call differently", "unknown_target", { release: 9 }],
    ["whose manifest is another", "digest_mismatch", { manifest: true }],
  ])("%s is rejected, and not fetched again by the same revision", async (_, reason, wrong) => {
    const { peer, run } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    if (wrong.untarget) delete peer.targets[`rain/${second.digest}`];
    if (wrong.manifest) {
      const text = peer.manifests.get(second.digest) ?? "";
      peer.manifests.set(second.digest, text.replace("2026-01-01", "2026-01-02"));
    }
    peer.assign({ ...second, release: wrong.release ?? second.release });
    await run.clock.advance(500);
    expect(run.slot()?.candidate).toMatchObject({ digest: second.digest, state: "rejected", reason });
    peer.requests.length = 0;
    run.transport.disconnect();
    await run.connect();
    expect(peer.requests.map((request) => request.kind)).toEqual(["hello", "metadata"]);
    expect(await run.predict(1)).toMatchObject({ value: 2 });
    // Assigned anew it is tried again, and again found wanting only where it still is.
    peer.targets[`rain/${second.digest}`] = { release: 2, length: second.length };
    peer.manifests.set(second.digest, new TextDecoder().decode(second.bytes));
    peer.assign(second);
    await run.clock.advance(500);
    expect(run.slot()?.candidate?.state).toBe("probation");
  });

  it.each([
    ["is no model", "invalid_model", { scale: 3, broken: true as const }],
    ["does not answer as it did where it was published", "proof_failed", { scale: 3, claims: 3.1 }],
  ])("that %s is rejected", async (_, reason, behaviour) => {
    const { peer, run } = await serving();
    peer.assign(peer.publish("rain", 2, behaviour));
    await run.clock.advance(500);
    expect(run.slot()).toMatchObject({ serving: { release: 1 }, candidate: { state: "rejected", reason } });
    expect(await run.predict(1)).toMatchObject({ value: 2 });
  });

  it.each([
    ["graph is not that of its manifest", "invalid_model", { scale: 3, output: "z" }],
    ["run is slower than its budget", "proof_failed", { scale: 3, runMs: 60 }],
  ])("whose %s is rejected", async (_, reason, behaviour) => {
    const { peer, run } = await serving();
    peer.assign(peer.publish("rain", 2, behaviour));
    await run.clock.advance(500);
    expect(run.slot()?.candidate).toMatchObject({ state: "rejected", reason });
  });

  it.each([
    ["throws", "exceptions", "throw" as const],
    ["answers NaN", "not_a_number", "nan" as const],
    ["is late", "latency_budget", "slow" as const],
  ])("that %s on probation gives way to the version before at once, without the network", async (_, reason, answer) => {
    const { peer, run, first } = await serving();
    const second = peer.publish("rain", 2, { scale: 3, later: { afterRuns: 16, answer } });
    peer.assign(second);
    await run.clock.advance(500);
    run.transport.disconnect();
    await run.predict(1);
    const served = [];
    for (let i = 0; i < 3; i++) served.push(await run.predict(1));
    expect(served.at(-1)).toMatchObject({ source: "model", value: 2 });
    expect(run.slot()).toMatchObject({ serving: { digest: first.digest }, candidate: { state: "rejected", reason } });
  });

  it("whose answers are late while the device is busy is timed by itself, and goes on", async () => {
    const { peer, run } = await serving();
    const second = peer.publish("rain", 2, { scale: 3, later: { afterRuns: 16, forRuns: 2, answer: "slow" } });
    peer.assign(second);
    await run.clock.advance(500);
    await run.predict(1);
    expect(await run.predict(1)).toMatchObject({ reason: "latency_budget" });
    await run.clock.advance(0);
    expect(run.slot()?.candidate?.state).toBe("probation");
    expect(run.log.entries.map(({ event }) => event)).toContain("model.doubted_but_sound");
    for (let i = 0; i < 3; i++) await run.predict(1);
    expect(run.slot()).toMatchObject({ serving: { digest: second.digest }, candidate: null });
  });

  it("that tripped and is assigned anew is proved anew", async () => {
    const { peer, run } = await serving();
    const second = peer.publish("rain", 2, { scale: 3, later: { afterRuns: 16, answer: "throw" } });
    peer.assign(second);
    await run.clock.advance(500);
    for (let i = 0; i < 3; i++) await run.predict(1);
    expect(run.slot()?.candidate?.state).toBe("rejected");
    peer.assign(second);
    await run.clock.advance(500);
    expect(run.slot()?.candidate?.state).toBe("probation");
    expect(await run.predict(1)).toMatchObject({ value: 3 });
  });

  it("whose files are damaged while it is on probation is fetched anew", async () => {
    const { peer, run, start, disk } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    peer.assign(second);
    await run.clock.advance(500);
    run.transport.disconnect();
    disk.kill();
    disk.poke(`chunks/${second.manifest.files[0]?.chunks[0]?.sha256}`, new Uint8Array(40));
    const next = await start();
    await next.clock.advance(10);
    expect(next.slot()?.candidate?.state).toBe("fetching");
    expect(await next.predict(1)).toMatchObject({ value: 2 });
    await next.connect();
    for (let i = 0; i < 3; i++) expect(await next.predict(1)).toMatchObject({ value: 3 });
    expect(next.slot()?.serving?.release).toBe(2);
  });

  it("on probation is not blamed for a clean stop", async () => {
    const { peer, run, start } = await serving();
    peer.assign(peer.publish("rain", 2, { scale: 3 }));
    await run.clock.advance(500);
    await run.agent.stop();
    for (let i = 0; i < 5; i++) {
      const again = await start();
      await again.clock.advance(10);
      expect(again.slot()?.candidate?.state).toBe("probation");
      await again.agent.stop();
    }
  });

  it("[V4] in a crash loop gives way to the version before", async () => {
    const { peer, run, start, disk, first } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    peer.assign(second);
    await run.clock.advance(500);
    expect(run.slot()?.candidate?.state).toBe("probation");
    run.transport.disconnect();
    for (let i = 0; i < 2; i++) {
      disk.kill();
      const again = await start();
      await again.clock.advance(10);
      expect(await again.predict(1)).toMatchObject({ value: 3 });
    }
    disk.kill();
    const last = await start();
    await last.clock.advance(10);
    expect(await last.predict(1)).toMatchObject({ value: 2 });
    expect(last.slot()).toMatchObject({
      serving: { digest: first.digest },
      candidate: { digest: second.digest, state: "rejected", reason: "crash_loop" },
    });
  });
});

describe("receiving", () => {
  it("[D1] refuses a tampered chunk and pulls the right one", async () => {
    const { peer, run } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    const chunk = second.manifest.files[0]?.chunks[0]?.sha256 ?? "";
    peer.wrongRetained.set(chunk, new Uint8Array(40));
    peer.assign(second);
    await run.clock.advance(500);
    expect(peer.pulls).toEqual([chunk]);
    expect(run.slot()?.candidate?.state).toBe("probation");
  });

  it("[D1] rejects the version where pulled chunks are wrong three times", async () => {
    const { peer, run } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    const chunk = second.manifest.files[0]?.chunks[0];
    peer.silent.add(chunk?.sha256 ?? "");
    peer.wrongPulled.set(chunk?.sha256 ?? "", new Uint8Array(chunk?.length ?? 0));
    peer.assign(second);
    await run.clock.advance(30_000);
    expect(peer.pulls).toEqual(Array.from({ length: 3 }, () => chunk?.sha256));
    expect(run.slot()?.candidate).toMatchObject({ state: "rejected", reason: "digest_mismatch" });
  });

  it("subscribes once more where the broker is silent, then pulls", async () => {
    const { peer, run } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    for (const { sha256 } of second.manifest.files[0]?.chunks ?? []) peer.silent.add(sha256);
    peer.assign(second);
    await run.clock.advance(9_000);
    expect(peer.pulls).toEqual([]);
    await run.clock.advance(2_000);
    expect(peer.pulls.length).toBeGreaterThan(0);
    expect(run.slot()?.candidate?.state).toBe("probation");
  });

  it("heals a damaged chunk of the version that serves", async () => {
    const { run, start, disk, first } = await serving();
    disk.kill();
    run.transport.disconnect();
    const chunk = first.manifest.files[0]?.chunks[0]?.sha256 ?? "";
    disk.poke(`chunks/${chunk}`, new Uint8Array(3));
    const next = await start();
    expect(await next.predict(1)).toMatchObject({ source: "none" });
    await next.connect();
    expect(await next.predict(1)).toMatchObject({ source: "model", value: 2 });
  });

  it("[D2] asks after a kill only for the chunks that are not there", async () => {
    const { peer, run, start, disk } = await serving();
    const second = peer.publish("rain", 2, { scale: 3 });
    const chunks = new Set(second.manifest.files.flatMap((file) => file.chunks.map((chunk) => chunk.sha256)));
    const there = () => [...chunks].filter((sha256) => disk.peek(`chunks/${sha256}`)).length;
    const missing = chunks.size - there();
    peer.silent.add(second.manifest.files[0]?.chunks[0]?.sha256 ?? "");
    peer.assign(second);
    await run.clock.advance(500);
    expect([missing, chunks.size - there()]).toEqual([4, 1]);
    run.transport.disconnect();
    disk.kill();
    peer.silent.clear();
    peer.asked.length = 0;
    const next = await start();
    await next.connect();
    expect(peer.asked).toEqual([second.manifest.files[0]?.chunks[0]?.sha256]);
    expect(next.slot()?.candidate?.state).toBe("probation");
  });

  it("[V2] resumes after a kill at every change of the disk, and a device that served never stops", async () => {
    const base = await serving();
    const before = base.disk.changes;
    await finish(base.peer, base.run);
    const changes = base.disk.changes - before;
    expect(changes).toBeGreaterThan(10);
    for (let at = 0; at < changes; at++) {
      for (const torn of [0, 1]) {
        const { peer, run, disk, start } = await serving();
        disk.killAt(at, torn);
        await finish(peer, run).catch(() => undefined);
        run.transport.disconnect();
        disk.kill();
        const next = await start();
        expect((await next.predict(1))?.source, `killed at change ${at}`).toBe("model");
        await next.connect();
        await next.clock.advance(30_000);
        for (let i = 0; i < 3; i++) await next.predict(1);
        await next.clock.advance(10);
        expect(next.slot(), `killed at change ${at}`).toMatchObject({
          serving: { release: 2 },
          previous: { release: 1 },
          candidate: null,
        });
        disk.kill();
      }
    }
  });

  async function finish(
    peer: ReturnType<typeof createDevice>["peer"],
    run: Awaited<ReturnType<typeof serving>>["run"],
  ) {
    peer.assign(peer.publish("rain", 2, { scale: 3 }));
    await run.clock.advance(500);
    for (let i = 0; i < 3; i++) await run.predict(1);
    await run.clock.advance(10);
  }
});
