/** A candidate from its assignment to its probation, or to its rejection: a whole agent against the scripted peer. */
import { VedetteError } from "@vedette/protocol/errors";
import { describe, expect, it } from "vitest";
import { servingDevice } from "./test/harness.ts";

describe("a candidate", () => {
  it("[S8] under the floor is refused, and a serving version that falls under it serves no more", async () => {
    const { peer, run, first } = await servingDevice();
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

  it("[S8] killed at any change while it is told of a floor, a device that follows that revision begins again above it", async () => {
    let killed = 0;
    for (let change = 0; change < 12; change++) {
      const { peer, run, start, disk } = await servingDevice();
      const before = run.agent.status().rev;
      const pump = peer.publish("pump", 1, { scale: 3 });
      peer.floors = { rain: 2 };
      let dead = false;
      disk.onDeath = () => {
        dead = true;
      };
      disk.killAt(change, 1);
      peer.assign(pump);
      await run.clock.advance(500);
      if (dead) killed++;
      else disk.kill();
      run.transport.disconnect();
      const again = await start();
      const { rev } = again.agent.status();
      if (rev > before) expect(await again.predict(1), `change ${change}`).toMatchObject({ source: "none" });
    }
    expect(killed).toBeGreaterThan(3);
  });

  it.each<[string, string, { untarget?: true; release?: number; manifest?: true }]>([
    ["that no release key signed", "unknown_target", { untarget: true }],
    ["whose release the director and the release keys call differently", "unknown_target", { release: 9 }],
    ["whose manifest is another", "digest_mismatch", { manifest: true }],
  ])("%s is rejected, and not fetched again by the same revision", async (_, reason, wrong) => {
    const { peer, run } = await servingDevice();
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
    const { peer, run } = await servingDevice();
    peer.assign(peer.publish("rain", 2, behaviour));
    await run.clock.advance(500);
    expect(run.slot()).toMatchObject({ serving: { release: 1 }, candidate: { state: "rejected", reason } });
    expect(await run.predict(1)).toMatchObject({ value: 2 });
  });

  it.each([
    ["graph is not that of its manifest", "invalid_model", { scale: 3, output: "z" }],
    ["run is slower than its budget", "proof_failed", { scale: 3, runMs: 60 }],
  ])("whose %s is rejected", async (_, reason, behaviour) => {
    const { peer, run } = await servingDevice();
    peer.assign(peer.publish("rain", 2, behaviour));
    await run.clock.advance(500);
    expect(run.slot()?.candidate).toMatchObject({ state: "rejected", reason });
  });

  it.each([
    ["throws", "exceptions", "throw" as const],
    ["answers NaN", "not_a_number", "nan" as const],
    ["is late", "latency_budget", "slow" as const],
  ])("that %s on probation gives way to the version before at once, without the network", async (_, reason, answer) => {
    const { peer, run, first } = await servingDevice();
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

  it.each([
    ["throws", "throw" as const],
    ["answers NaN", "nan" as const],
  ])(
    "[R40] that %s on probation answers nobody: the ladder does, and the next prediction is the version before's",
    async (_, answer) => {
      const { peer, run, first } = await servingDevice();
      // It answers its golden vectors, and the first of what it is asked.
      peer.assign(peer.publish("rain", 2, { scale: 3, later: { afterRuns: 16, answer } }));
      await run.clock.advance(500);
      run.transport.disconnect();
      const answers = [];
      for (let i = 0; i < 5; i++) answers.push(await run.predict(1));
      const bad = answers.findIndex((one) => one?.source !== "model");
      expect(answers[bad]).toMatchObject({ source: "none", value: null });
      expect(answers[bad + 1]).toMatchObject({ source: "model", value: 2 });
      expect(run.slot()?.serving?.digest).toBe(first.digest);
    },
  );

  it("whose answers are late while the device is busy is timed by itself, and goes on", async () => {
    const { peer, run } = await servingDevice();
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
    const { peer, run } = await servingDevice();
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
    const { peer, run, start, disk } = await servingDevice();
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
    const { peer, run, start } = await servingDevice();
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

  it("is not blamed for a load that came to nothing because the agent stopped", async () => {
    const { peer, run, start, first } = await servingDevice();
    peer.assign(peer.publish("rain", 2, { scale: 3 }));
    await run.clock.advance(500);
    await run.agent.stop();
    const ended = Promise.withResolvers<void>();
    let loads = 0;
    const stopping = await start({ loading: () => (++loads === 1 ? Promise.resolve() : ended.promise) });
    await stopping.clock.advance(10);
    expect(loads).toBe(2); // of what serves, and then of the candidate
    await stopping.agent.stop();
    ended.reject(new VedetteError("model_failed", "its thread ended"));
    await stopping.clock.advance(10);
    expect(stopping.log.entries.map(({ event }) => event)).not.toContain("model.rejected");
    const next = await start();
    await next.clock.advance(10);
    expect(next.slot()).toMatchObject({ serving: { digest: first.digest }, candidate: { state: "probation" } });
  });

  it("[V4] in a crash loop gives way to the version before", async () => {
    const { peer, run, start, disk, first } = await servingDevice();
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
