/** What is told of rollouts and of the gate: each by what the database and the devices say. */
import type { Device } from "@vedette/protocol/api";
import type { GateState } from "@vedette/protocol/gate-api";
import type { ReportedSlot } from "@vedette/protocol/messages";
import { expect, test } from "vitest";
import { type ManualClock, manualClock } from "../../../../test/clock.ts";
import { candidate as digest, rolloutOf, verdictOf } from "../../../../test/rollout-world.ts";
import { abilities } from "../../../../test/site.ts";
import type { ChainedEntry } from "../../../db/records.ts";
import type { Member, Rollout } from "../../../db/rollout-records.ts";
import type { AlertSource } from "../watch-sources.ts";
import { endedRollouts } from "./ended-rollouts.ts";
import { gatedVersions } from "./gated-versions.ts";
import { haltedRollouts } from "./halted-rollouts.ts";

const minute = 60_000;
const day = 86_400_000;
const older = "a".repeat(64);

interface World {
  readonly clock: ManualClock;
  rollouts: Rollout[];
  devices: Device[];
  entries: Pick<ChainedEntry, "subject" | "action" | "actor" | "at">[];
}

function world(): World {
  return { clock: manualClock(), rollouts: [], devices: [], entries: [] };
}
const live = (rollout: Rollout) => rollout.endedAt === null;
const dbOf = (of: World) =>
  ({
    rollouts: {
      live: async () => of.rollouts.filter(live),
      list: async (limit: number, { model }: { model?: string } = {}) =>
        of.rollouts
          .filter((one) => model === undefined || one.model === model)
          .toReversed()
          .slice(0, limit),
    },
    audit: {
      latest: async (limit: number, filter: Partial<World["entries"][number]> = {}) =>
        of.entries
          .filter((one) => Object.entries(filter).every(([key, value]) => one[key as "actor"] === value))
          .toReversed()
          .slice(0, limit),
    },
  }) as unknown as Parameters<typeof endedRollouts>[0]["db"];

function device(agent: string, seen: number, over: { serves?: string; tries?: string; assigned?: string }): Device {
  const at = (of: string) => ({ digest: of, release: of === digest ? 2 : 1 });
  const slot: ReportedSlot = {
    ...{
      model: "rain",
      serving: at(over.serves ?? older),
      previous: null,
      served: 5,
      drift: [],
      sources: {},
      reasons: {},
    },
    candidate: over.tries === undefined ? null : { ...at(over.tries), state: "probation" },
  };
  return {
    ...{ agent, labels: {}, enrolledAt: new Date(0).toISOString(), online: true },
    lastSeen: new Date(seen).toISOString(),
    assigned: [{ model: "rain", version: 1, digest: over.assigned ?? older }],
    reported: { agent, rev: 1, at: 0, abilities, labels: {}, slots: [slot] },
  };
}
const told = async (source: AlertSource) =>
  (await source.look(new Set())).wrong.map(({ name, severity, annotations }) => {
    return [`${severity} ${name}`, annotations.description ?? ""];
  });
const names = async (source: AlertSource) => (await told(source)).map(([name]) => name);
const member = (agent: string, over: Partial<Member>): Member => ({
  ...{
    agent,
    kind: "canary",
    given: "canary",
    joinedAt: 0,
    retakenAt: null,
    state: "updating",
    since: 0,
    takenAt: 0,
    takenRev: 0,
  },
  ...{ reached: false, reason: null },
  ...over,
});
const members = (...all: Member[]) => new Map(all.map((one) => [one.agent, one]));

test("[A10] a rollback is told for a day, and wakes somebody while devices that are there still answer by the version", async () => {
  const of = world();
  const start = of.clock.now();
  const source = endedRollouts({ db: dbOf(of), listDevices: async () => of.devices, clock: of.clock });
  of.rollouts = [rolloutOf({}, { state: "rolled_back", endedAt: start, why: "unfit is worse" })];
  const seen = () => of.clock.now();
  of.devices = [device("d1", seen(), { serves: digest }), device("d2", seen(), {})];
  expect(await told(source)).toEqual([
    ["warning VedetteRolloutRolledBack", expect.stringContaining("On their way back to the version before: d1.")],
  ]);
  of.clock.advance(10 * minute);
  // On probation it answers, too; one that was assigned it again by somebody is not stuck; one that is away cannot follow.
  of.devices = [
    device("d1", seen(), { serves: digest }),
    device("d2", seen(), { tries: digest }),
    device("d3", seen(), { serves: digest, assigned: digest }),
    device("d4", seen() - 20 * minute, { serves: digest }),
  ];
  expect(await told(source)).toEqual([
    [
      "critical VedetteRolloutRolledBack",
      expect.stringMatching(/^Rollout 1 .*d1, d2 answer by it still.*Away.*: d4\.$/),
    ],
  ]);
  of.devices = [device("d4", start - day, { serves: digest })];
  expect(await names(source)).toEqual(["warning VedetteRolloutRolledBack"]);
  // A later rollout of the model: somebody has seen it.
  of.rollouts.push(rolloutOf({}, { id: 2, version: 3, digest: older }));
  expect(await names(source)).toEqual([]);
  of.rollouts.pop();
  of.clock.advance(day);
  expect(await names(source)).toEqual([]);
  // Who comes back after days with it, and does not follow.
  of.devices = [device("d4", seen(), { serves: digest })];
  expect(await names(source)).toEqual(["critical VedetteRolloutRolledBack"]);
});

test("[A10] an abort by the control plane is told, and an operator's own only where devices do not follow it", async () => {
  const of = world();
  const source = endedRollouts({ db: dbOf(of), listDevices: async () => of.devices, clock: of.clock });
  const endedAt = of.clock.now();
  of.rollouts = [rolloutOf({}, { state: "aborted", endedAt, why: "rain version 2 is revoked" })];
  const entry = { subject: "rollout-1", action: "rollout.abort", at: endedAt };
  of.entries = [{ ...entry, actor: "ann" }];
  expect(await names(source)).toEqual([]);
  of.entries = [{ ...entry, actor: "control-plane" }];
  expect(await names(source)).toEqual(["warning VedetteRolloutAborted"]);
  of.entries = [{ ...entry, actor: "ann" }];
  of.clock.advance(10 * minute);
  of.devices = [device("d1", of.clock.now(), { serves: digest })];
  expect(await names(source)).toEqual(["critical VedetteRolloutAborted"]);
});

test("[A10] an experiment that is taken back is told as one, and one that goes on as nothing", async () => {
  const of = world();
  const plan = { metric: "business:sales", better: "higher", split: "entities", share: 0.5, error: 0.05 } as const;
  const experiment = { ...plan, minEffect: null, until: null };
  const start = of.clock.now();
  const split = member("d1", { kind: "split", given: "split", state: "counted" });
  of.rollouts = [rolloutOf({}, { experiment, stageSince: start, members: new Map([["d1", split]]) })];
  const ended = endedRollouts({ db: dbOf(of), listDevices: async () => of.devices, clock: of.clock });
  of.clock.advance(7 * day);
  expect(await told(haltedRollouts({ db: dbOf(of), clock: of.clock }))).toEqual([]);
  expect(await told(ended)).toEqual([]);
  const endedAt = of.clock.now();
  of.rollouts = [rolloutOf({}, { experiment, state: "rolled_back", endedAt, why: "2 of 3 devices failed" })];
  const { wrong } = await ended.look(new Set());
  expect(wrong).toMatchObject([
    {
      labels: { experiment: "1" },
      annotations: {
        summary: "The experiment with rain version 2 was rolled back: 2 of 3 devices failed",
        description: expect.stringMatching(/^Experiment 1 ended/),
      },
    },
  ]);
  of.rollouts = [rolloutOf({}, { experiment, state: "aborted", endedAt, why: "revoked" })];
  of.entries = [{ subject: "experiment-1", action: "experiment.abort", actor: "control-plane", at: endedAt }];
  expect(await names(ended)).toEqual(["warning VedetteRolloutAborted"]);
});

test("[R82] an experiment of whose arms one has lost all its devices is told, and how it ends", async () => {
  const of = world();
  const plan = { metric: "business:sales", better: "higher", share: 0.5, error: 0.05, minEffect: null } as const;
  const [stageSince, now] = [of.clock.now() - day, of.clock.now()];
  const experiment = { ...plan, split: "devices" as const, until: null };
  const source = haltedRollouts({ db: dbOf(of), clock: of.clock });
  const left = { state: "left_out", reason: "it is not in the fleet any more" } as const;
  const control = (over: Partial<Member>) => member("d3", { kind: "control", given: null, ...over });
  const told = async (...all: Member[]) => {
    of.rollouts = [rolloutOf({}, { experiment, stageSince, members: members(...all) })];
    return (await source.look(new Set())).wrong.map(({ severity, annotations }) => [severity, annotations.description]);
  };
  const gone = member("d1", left);
  expect(await told(gone, member("d2", { state: "counted" }), control({ state: "counted" }))).toEqual([]);
  expect(await told(gone, member("d2", { state: "offline" }), control({ state: "counted" }))).toEqual([]);
  const late = member("d2", { state: "timed_out", reached: true });
  expect(await told(gone, late, control({ state: "counted" }))).toEqual([]);
  expect(await told(gone, { ...late, reached: false }, control({ state: "counted" }))).toHaveLength(1);
  expect(await told(gone, member("d2", { ...left, since: now }), control({ state: "counted" }))).toEqual([]);
  expect(
    await told(gone, member("d2", { state: "failed", reason: "off by 1" }), control({ state: "counted" })),
  ).toEqual([
    [
      "warning",
      "No device is left to answer by the candidate: 1 left out (d1: it is not in the fleet any more); 1 failed (d2: off by 1). It goes on without an end: vedette experiment stop 1",
    ],
  ]);
  expect(await told(member("d2", { state: "counted" }), control(left))).toEqual([
    ["warning", expect.stringMatching(/^No device is left to answer by the incumbent: 1 left out/)],
  ]);
  const until = "2027-01-01T00:00:00Z";
  of.rollouts = [rolloutOf({}, { stageSince, experiment: { ...plan, split: "entities", until } })];
  expect((await source.look(new Set())).wrong).toMatchObject([
    {
      name: "VedetteRolloutStuck",
      labels: { experiment: "1" },
      annotations: {
        summary: "The experiment with rain version 2 has no device to go on with",
        description: expect.stringMatching(/the candidate: None has joined\. It ends at 2027-01-01T00:00:00Z/),
      },
    },
  ]);
});

test("[A11] a rollout that waits for somebody is told: paused by itself, forgotten, or for an approval", async () => {
  const of = world();
  const source = haltedRollouts({ db: dbOf(of), clock: of.clock });
  const at = of.clock.now();
  of.rollouts = [rolloutOf({}, { state: "paused", pausedAt: at, why: "still undecided after 60 minutes" })];
  const pause = { subject: "rollout-1", action: "rollout.pause", at };
  of.entries = [{ ...pause, actor: "control-plane" }];
  expect(await told(source)).toEqual([
    ["warning VedetteRolloutPaused", expect.stringContaining("still undecided after 60 minutes")],
  ]);
  of.entries.push({ ...pause, actor: "ann" });
  expect(await names(source)).toEqual([]);
  of.clock.advance(day);
  expect(await names(source)).toEqual(["info VedetteRolloutPaused"]);
  of.rollouts = [rolloutOf({}, { state: "waiting_for_approval", why: "stage 2 waits for an approval" })];
  of.entries = [{ subject: "rollout-1", action: "rollout.wait", actor: "control-plane", at: of.clock.now() }];
  // Who reads it late approves no stage that came after.
  expect(await told(source)).toEqual([
    ["info VedetteRolloutApproval", expect.stringMatching(/: vedette rollout approve 1 --stage 1$/)],
  ]);
  of.clock.advance(day);
  expect(await names(source)).toEqual(["warning VedetteRolloutApproval"]);
});

test("[A12] a stage that has no device to go on with is told with the reasons; one that moves, or only just stopped, is not", async () => {
  const of = world();
  const source = haltedRollouts({ db: dbOf(of), clock: of.clock });
  const at = of.clock.now();
  const running = (all: ReadonlyMap<string, Member>, policy: Parameters<typeof rolloutOf>[0] = {}) => {
    const stages = [{ kind: "canary" as const, share: 1 }];
    of.rollouts = [rolloutOf({ stages, ...policy }, { stageSince: at, undecidedFrom: at, members: all })];
  };
  const away = member("d1", { state: "offline", since: at, reason: "it is away", takenAt: at });
  running(members(away, member("d2", { state: "failed", since: at, reason: "proof_failed", takenAt: at })));
  of.clock.advance(30 * minute - 1);
  expect(await names(source)).toEqual([]);
  of.clock.advance(1);
  expect(await told(source)).toEqual([
    [
      "warning VedetteRolloutStuck",
      "Stage 1 of 1 (canary 100 %): nobody counts. 1 offline (d1: it is away); 1 failed (d2: proof_failed).",
    ],
  ]);
  running(members());
  expect(await told(source)).toEqual([
    ["warning VedetteRolloutStuck", expect.stringContaining("no device can take part")],
  ]);
  running(members(away, member("d2", { since: at, takenAt: at })));
  expect(await names(source)).toEqual([]);
  // Most are late: it goes on without them.
  const counted = member("d2", { state: "counted", since: at, takenAt: at });
  running(members(counted, member("d1", { state: "timed_out", since: at, takenAt: at })));
  expect(await names(source)).toEqual(["info VedetteRolloutStuck"]);
  // Devices that are off while their window is open: nobody is ever taken.
  const shut = member("d1", {
    state: "waiting",
    given: null,
    takenAt: null,
    since: at,
    reason: "it is outside its maintenance window",
  });
  of.clock.advance(7 * day);
  running(members(shut), { window: { from: "22:00", until: "04:00" } });
  expect(await names(source)).toEqual([]);
  of.clock.advance(day);
  expect(await told(source)).toEqual([
    ["warning VedetteRolloutStuck", expect.stringContaining("nobody was taken since")],
  ]);
});

test("[R83] a stage that goes on with fewer than half of the devices that were there warns, however many may fail", async () => {
  const of = world();
  const source = haltedRollouts({ db: dbOf(of), clock: of.clock });
  const at = of.clock.now();
  of.clock.advance(day);
  const one = (agent: string, state: Member["state"]) => member(agent, { state, since: at, joinedAt: at, takenAt: at });
  const policy = { stages: [{ kind: "canary" as const, share: 1 }], failures: { share: 0.9, atLeast: 5 } };
  const running = (...all: Member[]) => {
    of.rollouts = [rolloutOf(policy, { stageSince: at, undecidedFrom: at, members: members(...all) })];
  };
  const [d1, d2, d3] = [one("d1", "counted"), one("d2", "timed_out"), one("d3", "timed_out")];
  running(d1, d2, d3, one("d4", "offline"));
  expect(await told(source)).toEqual([
    [
      "warning VedetteRolloutStuck",
      "Stage 1 of 1 (canary 100 %): 2 of 4 devices did not count in time; 1 count, fewer than half of the 3 that were there (2 timed out). 2 timed out (d2, d3).",
    ],
  ]);
  running(d1, d2);
  expect(await names(source)).toEqual([]);
  // One that is under way may count still.
  running(d1, d2, d3, member("d4", { since: at, joinedAt: at, takenAt: of.clock.now() }));
  expect(await names(source)).toEqual([]);
});

test("[A12] a stage that stays undecided without an end in its policy is told, with what nobody measures", async () => {
  const of = world();
  const source = haltedRollouts({ db: dbOf(of), clock: of.clock });
  const at = of.clock.now();
  const unseen = { ...verdictOf("undecided").findings[0], metric: "accuracy", says: "no_evidence" } as const;
  const verdict = { ...verdictOf("undecided"), findings: [unseen] } as Rollout["verdict"];
  const counted = members(member("d1", { state: "counted", since: at, takenAt: at }));
  const facts = { stageSince: at, undecidedFrom: at, verdict, members: counted };
  const policy = {
    stages: [{ kind: "canary" as const, share: 1 }],
    metrics: [{ metric: "accuracy" as const, margin: 0.03 }],
  };
  of.rollouts = [rolloutOf(policy, facts)];
  expect(await names(source)).toEqual([]);
  of.clock.advance(day);
  expect(await told(source)).toEqual([
    ["info VedetteRolloutUndecided", expect.stringContaining("Nothing counts yet of accuracy")],
  ]);
  of.clock.advance(6 * day);
  expect(await names(source)).toEqual(["warning VedetteRolloutUndecided"]);
  of.rollouts = [rolloutOf({ ...policy, undecided: { afterMinutes: 20_000, end: "pause" } }, facts)];
  expect(await names(source)).toEqual([]);
});

test("[A13] a new version that the gate holds is told while it is new; an override shortly before its end", async () => {
  const of = world();
  const start = of.clock.now();
  let state: Pick<GateState, "state" | "why" | "override"> = {
    state: "failed",
    why: "accuracy: worse",
    override: null,
  };
  const newest = { model: "rain", version: 2, digest, createdAt: start };
  const versions = { modelNames: async () => ["rain"], list: async () => [{ ...newest, version: 1 }, newest] };
  const source = gatedVersions({
    db: { ...dbOf(of), versions } as unknown as Parameters<typeof gatedVersions>[0]["db"],
    gateOf: async (model, version) => ({ model, version, digest, report: null, signed: null, key: "", ...state }),
    clock: of.clock,
  });
  expect(await told(source)).toEqual([["info VedetteGateFailed", "accuracy: worse"]]);
  state = { state: "missing", why: "it has no report yet", override: null };
  expect(await names(source)).toEqual([]);
  of.clock.advance(11 * minute);
  expect(await names(source)).toEqual(["info VedetteGateFailed"]);

  const expiresAt = new Date(of.clock.now() + 8 * 3_600_000).toISOString();
  const override = {
    ...{ format: "vedette.gate-override/1" as const, site: "test", model: "rain", version: 2, digest },
    ...{ at: new Date(of.clock.now()).toISOString(), checks: ["accuracy"], by: "ann", reason: "trust me", expiresAt },
  };
  state = { state: "overridden", why: "", override };
  expect(await names(source)).toEqual([]);
  of.clock.advance(6 * 3_600_000);
  expect(await told(source)).toEqual([
    ["info VedetteOverrideEnding", expect.stringContaining("ann let it pass: trust me")],
  ]);
  of.rollouts = [rolloutOf({}, {})];
  expect(await told(source)).toEqual([
    ["warning VedetteOverrideEnding", expect.stringContaining("Rollout 1 of it is aborted then")],
  ]);
  of.rollouts = [rolloutOf({}, { state: "promoted", endedAt: start })];
  expect(await names(source)).toEqual([]);
  of.rollouts = [];
  of.clock.advance(8 * day);
  state = { state: "failed", why: "accuracy: worse", override };
  expect(await names(source)).toEqual([]);
});
