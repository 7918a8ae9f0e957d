/** Each source by its own lights: what it finds, and what it leaves as it was. */
import type { Device } from "@vedette/protocol/api";
import type { ReportedSlot } from "@vedette/protocol/messages";
import { expect, test } from "vitest";
import { manualClock } from "../../../../test/clock.ts";
import { abilities } from "../../../../test/site.ts";
import type { MissingCount } from "../../../ports.ts";
import type { AlertSource } from "../watch-sources.ts";
import { expiringMetadata } from "./expiring-metadata.ts";
import { fallbackRate } from "./fallback-rate.ts";
import { defaultSilenceMs, goneDevices } from "./gone-devices.ts";
import { lostPredictions } from "./lost-predictions.ts";
import { lowDisk } from "./low-disk.ts";
import { rejectedVersions } from "./rejected-versions.ts";

const digest = "d".repeat(64);
const nothing: ReadonlySet<string> = new Set();

function slot(over: Partial<ReportedSlot> = {}): ReportedSlot {
  const none = { serving: null, previous: null, candidate: null, served: 0, drift: [], sources: {}, reasons: {} };
  return { model: "rain", ...none, ...over };
}
function device(agent: string, lastSeen: number, slots: ReportedSlot[] = []): Device {
  return {
    agent,
    labels: {},
    enrolledAt: new Date(0).toISOString(),
    online: true,
    lastSeen: new Date(lastSeen).toISOString(),
    assigned: [{ model: "rain", version: 2, digest }],
    reported: { agent, rev: 1, at: 0, abilities, labels: {}, slots },
  };
}
const found = async (source: AlertSource, firing = nothing) => {
  const { wrong, unsure = nothing } = await source.look(firing);
  return { wrong: wrong.map(({ key, severity }) => `${severity} ${key}`), unsure: [...unsure] };
};

test("[Z15] half a fleet that goes silent is one critical alert; after a start nobody is judged before they had time", async () => {
  const clock = manualClock();
  const devices = Array.from({ length: 6 }, (_, i) => device(`d${i}`, clock.now()));
  const source = goneDevices({ listDevices: async () => devices, clock });
  clock.advance(defaultSilenceMs);
  expect(await found(source)).toEqual({ wrong: [], unsure: [] });
  clock.advance(1);
  for (const i of [0, 1, 2, 3]) devices[i] = device(`d${i}`, clock.now());
  expect((await found(source)).wrong).toEqual(["warning device-gone/d4", "warning device-gone/d5"]);
  devices[3] = device("d3", clock.now() - defaultSilenceMs - 1);
  expect((await found(source)).wrong[0]).toBe("critical fleet-gone");

  const restarted = goneDevices({ listDevices: async () => devices, clock });
  const open = new Set(["device-gone/d4", "fleet-gone"]);
  expect(await found(restarted, open)).toEqual({ wrong: [], unsure: ["device-gone/d4", "fleet-gone"] });
  clock.advance(defaultSilenceMs + 1);
  expect((await found(restarted, open)).wrong).toContain("critical fleet-gone");
});

test("[Z15] a rejected version is told with its reasons, while devices should run it, and as critical where none serves instead", async () => {
  const rejected = { digest, release: 2, state: "rejected", reason: "proof_failed" };
  const serving = { digest: "e".repeat(64), release: 1 };
  const devices = ["d1", "d2"].map((agent) => device(agent, 0, [slot({ candidate: rejected, serving })]));
  const source = rejectedVersions({ listDevices: async () => devices });
  const { wrong } = await source.look(nothing);
  expect(wrong).toMatchObject(
    [{ severity: "warning", labels: { model: "rain", version: "2" }, annotations: { description: /d1, d2/ } }].map(
      (one) => ({ ...one, annotations: { description: expect.stringMatching(one.annotations.description) } }),
    ),
  );
  expect(wrong[0]?.annotations.summary).toContain("proof_failed");
  devices[0] = device("d1", 0, [slot({ candidate: rejected })]);
  expect((await found(source)).wrong).toEqual(["critical version-rejected/rain/2"]);
  expect(
    await found(rejectedVersions({ listDevices: async () => devices.map((one) => ({ ...one, assigned: [] })) })),
  ).toEqual({
    wrong: [],
    unsure: [],
  });
});

test("[Z15] the fallback's share is of what was answered lately; too few answers, or a start, show nothing", async () => {
  const clock = manualClock();
  let sources = { model: 9000, rule: 1000 };
  const source = fallbackRate({ listDevices: async () => [device("d1", 0, [slot({ sources })])], clock });
  const key = new Set(["fallback-rate/rain"]);
  // A long past says nothing of now: what fires goes on.
  expect(await found(source, key)).toEqual({ wrong: [], unsure: [...key] });
  clock.advance(60_000);
  sources = { model: 9040, rule: 1009 };
  expect(await found(source, key)).toEqual({ wrong: [], unsure: [...key] });
  clock.advance(60_000);
  sources = { model: 9070, rule: 1030 };
  expect((await found(source)).wrong).toEqual(["warning fallback-rate/rain"]);
  // The agent started anew: it counts from 0.
  clock.advance(60_000);
  sources = { model: 0, rule: 80 };
  expect((await found(source)).wrong).toEqual(["critical fallback-rate/rain"]);
  clock.advance(14 * 60_000);
  sources = { model: 100, rule: 80 };
  clock.advance(60_000);
  expect(await found(source, key)).toEqual({ wrong: [], unsure: [] });
});

test("[Z15] losses are told while they grow, also those that a restart hid; what a policy leaves out is none", async () => {
  const clock = manualClock();
  const kept = new Map<string, string>();
  const settings = {
    claimSite: async () => {},
    read: async (key: string) => kept.get(key),
    write: async (key: string, value: string) => void kept.set(key, value),
  };
  let counts: MissingCount[] = [];
  const lost = (reason: string, predictions: number, release = 1) => ({
    model: "rain",
    digest: null,
    release,
    reason,
    predictions,
  });
  const start = () => lostPredictions({ missing: async () => counts, settings, clock });
  counts = [lost("power_loss", 5)];
  const source = start();
  expect((await found(source)).wrong).toEqual([]);
  counts = [lost("power_loss", 5), lost("sampled", 900), lost("unanswered", 9)];
  expect((await found(source)).wrong).toEqual([]);
  counts = [lost("power_loss", 5), lost("power_loss", 1, 2), lost("disk_full", 3)];
  expect((await found(start())).wrong).toEqual([
    "warning predictions-missing/rain/power_loss",
    "warning predictions-missing/rain/disk_full",
  ]);
  clock.advance(3_599_999);
  expect((await found(source)).wrong).toHaveLength(2);
  clock.advance(1);
  expect((await found(source)).wrong).toEqual([]);
});

test("[Z15] a disk is judged by share and size, and metadata by whether they still hold", async () => {
  const gib = 2 ** 30;
  const of = async (free: number, total: number) =>
    (await found(lowDisk(async () => ({ free: free * gib, total: total * gib })))).wrong;
  expect(await of(400, 10_000)).toEqual([]);
  expect(await of(9, 100)).toEqual(["warning disk-low"]);
  expect(await of(2, 100)).toEqual(["critical disk-low"]);
  expect(await of(3, 4)).toEqual([]);
  expect(await of(0.2, 0.5)).toEqual(["critical disk-low"]);
  const roles = [
    { role: "root", expires: 0, expired: true },
    { role: "targets", expires: 1e12, expired: false },
  ];
  expect((await found(expiringMetadata({ expiring: () => roles }))).wrong).toEqual([
    "critical metadata-expiring/root",
    "warning metadata-expiring/targets",
  ]);
});
