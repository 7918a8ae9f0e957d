/** The alerts over a real database, restarted at random, and receivers that fail at random: nothing is lost, all in order. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Severity, severities } from "@vedette/protocol/alerts-api";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { manualClock, noon, silentLogger } from "../../../test/clock.ts";
import { type Database, openDatabase } from "../../db/database.ts";
import { openAlerts, type Raise } from "./alerts.ts";
import { createAlertDelivery } from "./deliver-alerts.ts";
import { calmMs } from "./life-cycle.ts";
import { groupIntervalMs, groupWaitMs, repeatMs } from "./plan-messages.ts";
import type { WebhookPayload } from "./webhook-payload.ts";

async function databaseFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "vedette-alerts-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "vedette.db");
}

/** A control plane's alerts, and what its receiver `pager` got. */
async function plane(file: string, minSeverity: Severity = "info") {
  const clock = manualClock();
  const got: WebhookPayload[] = [];
  const state = { down: false };
  let db: Database = await openDatabase(file);
  const entry = { at: noon, actor: "ada", action: "alert-receiver.add", subject: "pager", detail: {} };
  await db.alerts.addReceiver({ name: "pager", url: "http://pager.example/", minSeverity }, entry);
  const start = async () => ({
    alerts: await openAlerts({ db, clock, logger: silentLogger, runbookUrl: () => "http://cp/runbooks" }),
    delivery: createAlertDelivery({
      ...{ site: "test", url: () => "http://cp", db, clock, logger: silentLogger, random: () => 0.5 },
      secrets: async () => ({ url: "http://pager.example/", headers: {} }),
      async post(_url, body) {
        if (state.down) throw new Error("down");
        got.push(JSON.parse(body));
      },
    }),
  });
  let running = await start();
  return {
    clock,
    got,
    state,
    get alerts() {
      return running.alerts;
    },
    get db() {
      return db;
    },
    async restart() {
      await db.close();
      db = await openDatabase(file);
      running = await start();
    },
    async after(ms: number) {
      clock.advance(ms);
      await running.alerts.tick();
      await running.delivery.deliver();
    },
    close: () => db.close(),
  };
}

const drift = (over: Partial<Raise> = {}): Raise => ({
  name: "VedetteDrift",
  severity: "warning",
  labels: { model: "rain" },
  annotations: { summary: "inputs drift" },
  key: "drift/rain",
  ...over,
});
const toldOf = (got: readonly WebhookPayload[]) =>
  got.flatMap(({ alerts }) => alerts.map(({ status, labels }) => `${labels.model ?? ""} ${labels.severity} ${status}`));

test("[Z3] what fires, resolves and is taken on outlives restarts, and a receiver hears it all, in order, though it was down", async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant("raise" as const),
      model: fc.constantFrom("a", "b"),
      severity: fc.constantFrom(...severities),
    }),
    fc.record({ do: fc.constant("clear" as const), model: fc.constantFrom("a", "b") }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1000, groupWaitMs, groupIntervalMs, calmMs) }),
    fc.record({ do: fc.constantFrom("restart" as const, "down" as const, "up" as const, "ack" as const) }),
  );
  // Begun and over while the receiver was down.
  const missed = [
    { do: "down" as const },
    { do: "raise" as const, model: "a" as const, severity: "warning" as const },
    { do: "clear" as const, model: "a" as const },
    { do: "wait" as const, ms: calmMs },
    { do: "restart" as const },
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const folder = await mkdtemp(join(tmpdir(), "vedette-alerts-"));
      const site = await plane(join(folder, "vedette.db"));
      try {
        for (const one of steps) {
          if (one.do === "raise")
            await site.alerts.raise(
              drift({ labels: { model: one.model }, key: `drift/${one.model}`, severity: one.severity }),
            );
          else if (one.do === "clear") await site.alerts.clear(`drift/${one.model}`);
          else if (one.do === "wait") await site.after(one.ms);
          else if (one.do === "restart") {
            const before = site.alerts.firing();
            await site.restart();
            expect(site.alerts.firing()).toEqual(before);
          } else if (one.do === "ack")
            for (const { id } of site.alerts.firing()) await site.alerts.ack(id, "ada", null);
          else site.state.down = one.do === "down";
        }
        site.state.down = false;
        for (let i = 0; i < 70; i++) await site.after(groupIntervalMs);
        const all = [...(await site.db.alerts.resolved(1000)), ...(await site.db.alerts.firing())];
        for (const model of ["a", "b"]) {
          const told = site.got.flatMap(({ alerts }) => alerts.filter((one) => one.labels.model === model));
          // Told again is told; each alert is one beginning and, once it resolved, one end after it.
          const turns = told.filter(
            (one, i) => i === 0 || one.status !== told[i - 1]?.status || one.startsAt !== told[i - 1]?.startsAt,
          );
          const expected = all
            .filter((one) => one.labels.model === model)
            .sort((x, y) => x.id - y.id)
            .flatMap(({ startsAt, state }) => [
              ["firing", startsAt],
              ...(state === "resolved" ? [["resolved", startsAt]] : []),
            ]);
          expect(turns.map(({ status, startsAt }) => [status, Date.parse(startsAt)])).toEqual(expected);
        }
      } finally {
        await site.close();
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: 25, examples: [[missed]] },
  );
}, 60_000);

test("[Z3] a clock that was far ahead and is set back keeps nobody from hearing", async () => {
  const site = await plane(await databaseFile());
  onTestFinished(() => site.close());
  const years = 50 * 365 * 86_400_000;
  site.clock.advance(years);
  await site.alerts.raise(drift());
  await site.after(groupWaitMs);
  site.state.down = true;
  await site.alerts.raise(drift({ labels: { model: "pump" }, key: "drift/pump" }));
  await site.after(groupWaitMs);
  site.state.down = false;
  await site.alerts.clear("drift/rain");
  site.clock.advance(-years);
  await site.after(0);
  // Told again, for nobody knows how long ago it was.
  expect(toldOf(site.got)).toEqual(["rain warning firing", "rain warning firing", "pump warning firing"]);
  await site.after(calmMs);
  await site.after(groupWaitMs);
  expect(toldOf(site.got).at(-1)).toBe("rain warning resolved");
  expect(site.alerts.firing().map(({ labels }) => labels.model)).toEqual(["pump"]);
});

test("[Z4] raised twice, or by two names of labels in another order, it is one alert", async () => {
  const site = await plane(await databaseFile());
  await site.alerts.raise(drift({ labels: { model: "rain", field: "wind" } }));
  await site.alerts.raise(drift({ labels: { field: "wind", model: "rain" }, severity: "critical" }));
  expect(site.alerts.firing()).toMatchObject([{ severity: "critical", labels: { model: "rain" } }]);
  await site.close();
});

test("[Z5] what fires of one model is one message; what begins critical is told at once, and all else once a minute", async () => {
  const site = await plane(await databaseFile());
  for (const field of ["wind", "heat"])
    await site.alerts.raise(drift({ labels: { model: "rain", field }, key: `drift/${field}` }));
  await site.alerts.raise(drift({ labels: { model: "pump" }, key: "drift/pump" }));
  await site.after(1000);
  expect(site.got).toEqual([]);
  await site.after(groupWaitMs);
  expect(site.got.map(({ groupLabels, alerts }) => [groupLabels.model, alerts.length])).toEqual([
    ["rain", 2],
    ["pump", 1],
  ]);
  await site.alerts.raise(drift({ labels: { model: "rain", field: "sun" }, key: "drift/sun" }));
  await site.after(groupWaitMs);
  expect(site.got).toHaveLength(2);
  await site.alerts.raise(drift({ labels: { model: "rain", field: "ice" }, key: "drift/ice", severity: "critical" }));
  await site.after(groupWaitMs);
  expect(site.got).toHaveLength(3);
  expect(site.got[2]?.alerts).toHaveLength(4);
  await site.close();
});

test("[Z6] what nobody took on is told again every four hours; what somebody did is not, until it gets worse", async () => {
  const site = await plane(await databaseFile());
  await site.alerts.raise(drift());
  await site.after(groupWaitMs);
  await site.after(repeatMs - 1000);
  expect(site.got).toHaveLength(1);
  await site.after(1000);
  expect(site.got).toHaveLength(2);
  const [{ id } = { id: 0 }] = site.alerts.firing();
  expect(await site.alerts.ack(id, "ada", "on it")).toMatchObject({ ack: { by: "ada", reason: "on it" } });
  await site.after(3 * repeatMs);
  expect(site.got).toHaveLength(2);
  await site.alerts.raise(drift({ severity: "critical" }));
  await site.after(groupWaitMs);
  expect(site.got).toHaveLength(3);
  await site.after(repeatMs);
  expect(site.got).toHaveLength(4);
  await site.alerts.clear("drift/rain");
  await site.after(calmMs);
  await site.after(groupWaitMs);
  expect(toldOf(site.got)).toEqual([
    "rain warning firing",
    "rain warning firing",
    "rain critical firing",
    "rain critical firing",
    "rain critical resolved",
  ]);
  await expect(site.alerts.ack(id, "ada", null)).rejects.toMatchObject({ code: "conflict" });
  await expect(site.alerts.ack(77, "ada", null)).rejects.toMatchObject({ code: "not_found" });
  await site.close();
});

test("[Z7] a receiver hears of its severity and worse; what falls below it is over for it", async () => {
  const site = await plane(await databaseFile(), "critical");
  await site.alerts.raise(drift());
  await site.after(groupIntervalMs);
  expect(site.got).toEqual([]);
  await site.alerts.raise(drift({ severity: "critical" }));
  await site.after(groupWaitMs);
  await site.alerts.raise(drift({ severity: "info" }));
  await site.after(groupIntervalMs);
  expect(toldOf(site.got)).toEqual(["rain critical firing", "rain info resolved"]);
  expect(site.alerts.firing()).toMatchObject([{ severity: "info" }]);
  await site.close();
});

test("a receiver is never asked to tell that it fails itself", async () => {
  const site = await plane(await databaseFile());
  await site.alerts.raise({ ...drift(), name: "VedetteReceiverFailing", labels: { receiver: "pager" }, key: "x" });
  await site.after(groupWaitMs);
  expect(site.got).toEqual([]);
  await site.close();
});

test("[Z23] why an alert is over is told with its end, over a restart, and no longer once it is raised again", async () => {
  const site = await plane(await databaseFile());
  await site.alerts.raise(drift());
  await site.after(groupWaitMs);
  const why = new Map([["drift/rain", "no device serves this version any more"]]);
  await site.alerts.settle(["VedetteDrift"], [], new Set(), why);
  await site.restart();
  expect(site.alerts.firing()).toMatchObject([{ annotations: { resolved: why.get("drift/rain") } }]);
  await site.alerts.settle(["VedetteDrift"], [drift()], new Set());
  expect(site.alerts.firing()[0]?.annotations).not.toHaveProperty("resolved");
  await site.alerts.settle(["VedetteDrift"], [], new Set(), why);
  await site.after(calmMs);
  await site.after(groupIntervalMs);
  const last = site.got.at(-1)?.alerts[0];
  expect(last).toMatchObject({ status: "resolved", annotations: { resolved: why.get("drift/rain") } });
  await site.close();
});
