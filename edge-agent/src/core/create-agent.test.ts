import type { VedetteError } from "@vedette/protocol/errors";
import { describe, expect, it } from "vitest";
import { createDevice, servingDevice } from "./test/harness.ts";

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
    const { disk, start, run, first } = await servingDevice();
    disk.kill();
    run.transport.disconnect();
    const next = await start();
    expect(next.agent.models()).toMatchObject([{ name: "rain", version: { digest: first.digest, release: 1 } }]);
    expect(await next.predict(3)).toMatchObject({ source: "model", value: 6 });
    expect(next.slot()?.served).toBe(4);
  });

  it("subscribes each topic once a connection, and forgets nothing on the next", async () => {
    const { peer, run } = await servingDevice();
    const topics = [...peer.subscriptions].sort();
    expect(topics).toEqual(
      ["ack/rain", "cmd", "desired", "res"].map((end) => `vd1/demo/a/station-1/${end}`).concat("vd1/demo/cp"),
    );
    run.transport.disconnect();
    await run.connect();
    expect([...peer.subscriptions].sort()).toEqual(topics);
  });

  it("follows a hint at a new revision, and sends only what changed", async () => {
    const { peer, run, first, disk } = await servingDevice();
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
    const { peer, run, first } = await servingDevice();
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
    const { peer, run } = await servingDevice();
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
    const { peer, run, first, disk } = await servingDevice();
    peer.assign();
    await run.clock.advance(500);
    expect(await run.predict(1)).toMatchObject({ source: "none" });
    expect(run.slot()).toMatchObject({ serving: null, previous: { digest: first.digest } });
    expect(disk.paths()).toContain(`manifests/${first.digest}.json`);
  });

  it("keeps several models apart", async () => {
    const { peer, run, first, start, disk } = await servingDevice();
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
    const { run, disk } = await servingDevice();
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
    const { peer, run, first, start, disk } = await servingDevice();
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
