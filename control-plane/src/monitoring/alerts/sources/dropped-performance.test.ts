/** A model that got worse is told by its labels alone, once they are sure, and for as long as they are. */
import type { Device } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import type { Harm } from "@vedette/protocol/labels-api";
import type { Watch } from "@vedette/protocol/watch-api";
import { expect, test } from "vitest";
import { manualClock } from "../../../../test/clock.ts";
import type { HarmQuestion } from "../../../ports.ts";
import { droppedPerformance } from "./dropped-performance.ts";

const minutes = 60_000;
const nothing: ReadonlySet<string> = new Set();
const deviceOf = (agent: string, version: number, revoked = false) =>
  ({ agent, revoked, assigned: [{ model: "rain", version, digest: "d".repeat(64) }] }) as unknown as Device;

function room(devices: Device[], watches: Pick<Watch, "model" | "version">[] = []) {
  const clock = manualClock();
  const today = new Date(clock.now()).toISOString().slice(0, 10);
  const state = {
    asked: [] as HarmQuestion[],
    /** What is asked of the time since then is harmful. */
    harmfulSince: (_day: string): boolean => false,
    from: "earlier_labels" as "earlier_labels" | "training_data",
  };
  const source = droppedPerformance({
    listDevices: async () => devices,
    listWatches: async () => watches as Watch[],
    clock,
    async harmOf(question) {
      state.asked.push(question);
      if (question.model === "unheard") throw new VedetteError("not_found", "nothing is stored of it");
      const verdict = state.harmfulSince(question.since.slice(0, 10)) ? "harmful" : "unknown";
      return { verdict, since: question.since, why: "wrong 0.6 of 40", before: { from: state.from } } as Harm;
    },
  });
  return { clock, state, source, today };
}

test("a version whose labels of today are worse than before pages; worse than its training data only, it warns", async () => {
  const { source, state, clock, today } = room([deviceOf("a", 2), deviceOf("b", 2), deviceOf("c", 1, true)]);
  expect(await source.look(nothing)).toEqual({ wrong: [] });
  // Each version that devices should run once, over the four periods; the error is shared among them.
  expect(state.asked).toHaveLength(4);
  for (const { version, alpha } of state.asked) expect([version, alpha]).toEqual([2, 0.0025]);
  expect(state.asked[0]?.since).toBe(`${today}T00:00:00.000Z`);
  expect(new Set(state.asked.map(({ since }) => since)).size).toBe(4);

  state.harmfulSince = (day) => day === today;
  clock.advance(5 * minutes);
  const { wrong } = await source.look(nothing);
  expect(wrong).toMatchObject([
    {
      ...{ name: "VedettePerformanceDropped", severity: "critical", labels: { model: "rain", version: "2" } },
      annotations: { summary: "rain got worse", description: expect.stringContaining("wrong 0.6 of 40") },
    },
  ]);
  state.from = "training_data";
  clock.advance(5 * minutes);
  const [warned] = (await source.look(nothing)).wrong;
  expect(warned).toMatchObject({
    severity: "warning",
    annotations: { summary: "rain is worse than on its training data" },
  });
  expect(warned?.key).toBe(wrong[0]?.key);
});

test("a drop whose labels come weeks late is found over the longer periods", async () => {
  const { source, state, today } = room([deviceOf("a", 1)]);
  state.harmfulSince = (day) => Date.parse(today) - Date.parse(day) > 7 * 24 * 60 * minutes;
  expect((await source.look(nothing)).wrong).toHaveLength(1);
});

test("labels are joined once in five minutes; meanwhile what fires goes on", async () => {
  const { source, state, clock } = room([deviceOf("a", 1)]);
  state.harmfulSince = () => true;
  await source.look(nothing);
  clock.advance(5 * minutes - 1);
  expect((await source.look(nothing)).wrong).toHaveLength(1);
  expect(state.asked).toHaveLength(1);
  state.harmfulSince = () => false;
  clock.advance(1);
  expect((await source.look(nothing)).wrong).toEqual([]);
});

test("a model that is watched elsewhere is asked about without a version; one of which nothing is stored keeps nobody from the others", async () => {
  const { source, state } = room(
    [],
    [
      { model: "unheard", version: null },
      { model: "churn", version: null },
    ],
  );
  state.harmfulSince = () => true;
  const { wrong } = await source.look(nothing);
  expect(wrong.map(({ labels }) => labels)).toEqual([{ model: "churn" }]);
  expect(state.asked.at(-1)).not.toHaveProperty("version");
});
