/** Fetching over a bad line and over kills: a whole agent against the scripted peer. */
import { describe, expect, it } from "vitest";
import { type createDevice, servingDevice } from "../test/harness.ts";

describe("receiving", () => {
  it("[D1] refuses a tampered chunk and pulls the right one", async () => {
    const { peer, run } = await servingDevice();
    const second = peer.publish("rain", 2, { scale: 3 });
    const chunk = second.manifest.files[0]?.chunks[0]?.sha256 ?? "";
    peer.wrongRetained.set(chunk, new Uint8Array(40));
    peer.assign(second);
    await run.clock.advance(500);
    expect(peer.pulls).toEqual([chunk]);
    expect(run.slot()?.candidate?.state).toBe("probation");
  });

  it("[D1] rejects the version where pulled chunks are wrong three times", async () => {
    const { peer, run } = await servingDevice();
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
    const { peer, run } = await servingDevice();
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
    const { run, start, disk, first } = await servingDevice();
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
    const { peer, run, start, disk } = await servingDevice();
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
    const base = await servingDevice();
    const before = base.disk.changes;
    await finish(base.peer, base.run);
    const changes = base.disk.changes - before;
    expect(changes).toBeGreaterThan(10);
    for (let at = 0; at < changes; at++) {
      for (const torn of [0, 1]) {
        const { peer, run, disk, start } = await servingDevice();
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
    run: Awaited<ReturnType<typeof servingDevice>>["run"],
  ) {
    peer.assign(peer.publish("rain", 2, { scale: 3 }));
    await run.clock.advance(500);
    for (let i = 0; i < 3; i++) await run.predict(1);
    await run.clock.advance(10);
  }
});
