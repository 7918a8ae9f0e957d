/** An event is told by the harm that labels show, and anew when they come; it is over when no event is open. */
import type { Device } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import type { Database } from "../../../db/database.ts";
import type { DriftEventRecord } from "../../../db/drift.ts";
import type { HarmOracle, HarmQuestion } from "../../../ports.ts";
import { fleetDrift } from "./fleet-drift.ts";

const digest = "d".repeat(64);
const openedAt = Date.UTC(2026, 10, 23, 12);
const event = (over: Partial<DriftEventRecord>) =>
  ({
    ...{ id: 1, model: "rain", digest, verdict: "critical", openedAt, raisedAt: openedAt, raised: 1, raisedAfter: 1 },
    ...{ closedAt: null, logE: 20, features: [{ name: "wind" }, { name: "temp" }], agents: ["ny-1", "ny-2"] },
    ...{ scope: { kind: "cohort", label: "city", value: "new-york" }, subject: "cohort:city=new-york" },
    ...over,
  }) as DriftEventRecord;

/** @param slot of its report. */
const device = (agent: string, city: string, slot: object, over: Partial<Device> = {}) =>
  ({
    ...{ agent, labels: { city }, online: true, assigned: [], revoked: null },
    reported: { slots: [{ model: "rain", serving: null, candidate: null, ...slot }] },
    ...over,
  }) as unknown as Device;

function room() {
  const state = {
    open: [event({})],
    harm: "unknown" as "unknown" | "harmful" | "benign",
    asked: [] as HarmQuestion[],
    devices: [device("ny-1", "new-york", { serving: { digest, release: 3 } }), device("sea-1", "seattle", {})],
  };
  const db = {
    drift: {
      digests: async () => [digest],
      openEvents: async () => state.open,
      // The clocks of two devices: of 1970, and nonsense.
      windows: async () => [openedAt - 60_000, openedAt + 5_000, 0, -1e300].map((fromAt) => ({ fromAt })),
    },
    versions: { findByDigest: async () => ({ version: 3, createdAt: openedAt - 3_600_000 }) },
  } as unknown as Database;
  const harmOf = (async (question) => {
    state.asked.push(question);
    return { verdict: state.harm, why: "wrong 0.4 of 40 labels" };
  }) as HarmOracle["harmOf"];
  const listDevices = async () => state.devices;
  return { state, db, listDevices, source: fleetDrift({ db, harmOf, listDevices }) };
}

test("[Z23] drift of the fleet is a warning until labels tell, and then pages or informs", async () => {
  const { state, source } = room();
  for (const [harm, severity] of [
    ["unknown", "warning"],
    ["harmful", "critical"],
    ["benign", "info"],
  ] as const) {
    state.harm = harm;
    const { wrong } = await source.look(new Set());
    expect(wrong).toMatchObject([
      {
        ...{ name: "VedetteDrift", severity, labels: { model: "rain", version: "3", city: "new-york" } },
        annotations: {
          summary: expect.stringContaining("wind, temp"),
          description: expect.stringContaining("40 labels"),
        },
      },
    ]);
  }
  expect(state.asked[0]).toEqual({
    model: "rain",
    version: 3,
    since: "2026-11-23T11:58:58.000Z",
    agents: ["ny-1", "ny-2"],
  });
  state.open = [event({ scope: { kind: "fleet" }, subject: "fleet" })];
  expect((await source.look(new Set())).wrong[0]?.labels).toEqual({ model: "rain", version: "3" });
  expect(state.asked.at(-1)).not.toHaveProperty("agents");
});

test("[Z23] no open event, nothing wrong; what a watch elsewhere raised is left alone", async () => {
  const { state, source } = room();
  state.open = [];
  const { wrong, unsure } = await source.look(new Set(["drift/watch/pump", `drift/event/${digest}/fleet`]));
  expect(wrong).toEqual([]);
  expect([...(unsure ?? [])]).toEqual(["drift/watch/pump"]);
});

test("[Z23] where nothing can be known of harm that is said; a question that fails silences nothing", async () => {
  const { db, listDevices } = room();
  const failing = (code: "not_found" | "internal") =>
    fleetDrift({
      db,
      listDevices,
      harmOf: () => Promise.reject(new VedetteError(code, "nothing of version 3 is stored")),
    });
  const { wrong } = await failing("not_found").look(new Set());
  expect(wrong[0]).toMatchObject({
    severity: "warning",
    annotations: { description: expect.stringMatching(/nothing of/) },
  });
  const failed = failing("internal");
  const told = await failed.look(new Set());
  expect(told.wrong[0]).toMatchObject({
    severity: "warning",
    annotations: { description: expect.stringMatching(/cannot be told: nothing of/) },
  });
  // What fires stays as it was: a question that failed is no better news.
  const key = told.wrong[0]?.key ?? "";
  expect(await failed.look(new Set([key]))).toEqual({ wrong: [], unsure: new Set([key]), over: new Map() });
});

test("[Z23] drift of a version that no device answers by any more is over, and says why; where one returns to it, it is told again", async () => {
  const { state, source } = room();
  const serving = { digest, release: 3 };
  const firing = async () => (await source.look(new Set())).wrong.length;
  const [own] = state.devices;
  const key = `drift/event/${digest}/cohort:city=new-york`;
  expect(await firing()).toBe(1);
  for (const [devices, answer] of [
    // Of another version, of another cohort, revoked, rejected, gone from the fleet.
    [[device("ny-1", "new-york", { serving: { digest: "e".repeat(64), release: 4 } })], 0],
    [[device("sea-1", "seattle", { serving })], 0],
    [[device("ny-1", "new-york", { serving }, { revoked: { at: "2026-11-23T12:00:00.000Z", reason: "lost" } })], 0],
    [[device("ny-1", "new-york", { candidate: { ...serving, state: "rejected" } })], 0],
    [[], 0],
    // Away it answers all the same; and what is about to answer counts, too.
    [[device("ny-1", "new-york", { serving }, { online: false })], 1],
    [[device("ny-1", "new-york", { candidate: { ...serving, state: "probation" } })], 1],
    [[device("ny-1", "new-york", {}, { assigned: [{ model: "rain", version: 3, digest }] })], 1],
    [[own as Device], 1],
  ] as const) {
    state.devices = [...devices];
    expect(await firing()).toBe(answer);
    const { over } = await source.look(new Set([key]));
    expect(over?.get(key)).toBe(answer === 1 ? undefined : "no device of city=new-york serves this version any more");
  }
});
