import type { Device } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import { manualClock } from "../../../../test/clock.ts";
import type { Database } from "../../../db/database.ts";
import type { HarmOracle, HarmQuestion } from "../../../ports.ts";
import { performanceDropped } from "./performance-dropped.ts";

const digest = "d".repeat(64);
const createdAt = Date.UTC(2026, 10, 1);

function room() {
  const state = {
    verdict: "unknown" as "unknown" | "benign" | "harmful" | "nothing stored",
    asked: [] as HarmQuestion[],
    assigned: [{ model: "rain", version: 3, digest }],
  };
  const clock = manualClock();
  const source = performanceDropped({
    clock,
    db: { versions: { findByDigest: async () => ({ model: "rain", version: 3, createdAt }) } } as unknown as Database,
    listDevices: async () =>
      ["a", "b"].map((agent) => ({ agent, labels: {}, assigned: state.assigned }) as unknown as Device),
    harmOf: (async (question) => {
      state.asked.push(question);
      if (state.verdict === "nothing stored") throw new VedetteError("not_found", "no model");
      return { verdict: state.verdict, why: "wrong 0.240 of 900 since" };
    }) as HarmOracle["harmOf"],
  });
  const look = async () => (await source.look(new Set())).wrong;
  return { state, clock, look };
}

test("[Z47] a version that errs more than in training, as labels show, is critical, drift or no drift", async () => {
  const { state, clock, look } = room();
  for (const verdict of ["nothing stored", "unknown", "benign"] as const) {
    state.verdict = verdict;
    expect(await look()).toEqual([]);
    await clock.advance(600_000);
  }
  state.verdict = "harmful";
  expect(await look()).toMatchObject([
    {
      ...{ name: "VedettePerformanceDropped", severity: "critical", labels: { model: "rain", version: "3" } },
      annotations: { description: expect.stringContaining("0.240") },
    },
  ]);
  // Since it was published: the time before is its training.
  expect(state.asked.at(-1)).toEqual({ model: "rain", version: 3, since: new Date(createdAt).toISOString() });
  // Of what serves nowhere any more nobody is woken.
  state.assigned = [];
  expect(await look()).toEqual([]);
});

test("labels are joined once in ten minutes a version, however many devices there are and however often one looks", async () => {
  const { state, clock, look } = room();
  for (let i = 0; i < 60; i++) {
    await look();
    await clock.advance(30_000);
  }
  expect(state.asked).toHaveLength(3);
});
