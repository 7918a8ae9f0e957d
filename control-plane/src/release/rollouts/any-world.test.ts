/**
 * The engine in any world: devices die, return, lie, revert, change labels, join and leave; operators act; the control plane
 * is restarted before every step (the rollout is written and read). Beside it stands an abstract model: the sets of who was
 * ever given what, and the limits of the policy, each checked on its own after every step.
 */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { device, minute, type PretendedSite, pretendSite, rolloutOf, verdictOf } from "../../../test/rollout-world.ts";
import { advance, isOver } from "./advance.ts";
import { inWindow } from "./maintenance.ts";
import type { Progress } from "./world.ts";

/** Some ten thousand rounds each: seconds where the machine is idle. */
vi.setConfig({ testTimeout: 120_000 });

/** What was ever seen, kept apart from the engine. */
interface Model {
  readonly members: Set<string>;
  readonly takings: number[];
}

const agents = Array.from({ length: 12 }, (_, i) => `d${i}`);
const cities = ["berlin", "lima"];
const zones = ["Europe/Berlin", "America/Lima", "nowhere"];

const policies = fc.record({
  stages: fc.constantFrom<NonNullable<NonNullable<Parameters<typeof rolloutOf>[0]>["stages"]>>(
    [{ kind: "canary", share: 1 }],
    [
      { kind: "canary", share: 0.2 },
      { kind: "canary", share: 1 },
    ],
    [
      { kind: "shadow", share: 0.5 },
      { kind: "canary", share: 0.25 },
      { kind: "canary", share: 1 },
    ],
    [
      { kind: "canary", share: 0.5, approval: true },
      { kind: "canary", share: 1, atLeastMinutes: 20 },
    ],
  ),
  selector: fc.constantFrom({ all: true as const }, { labels: { city: "berlin" } }),
  inFlight: fc.integer({ min: 1, max: 5 }),
  ramp: fc.constantFrom(null, { perHour: 3 }, { perHour: 0.5 }, { first: 1, factor: 2 }),
  window: fc.constantFrom(
    null,
    { from: "22:00", until: "04:00" },
    { from: "09:00", until: "17:00", zone: "Asia/Tokyo" },
  ),
  failures: fc.constantFrom({ share: 0.2, atLeast: 1 }, { share: 0.9, atLeast: 3 }),
  timeoutMinutes: fc.constantFrom(30, 300),
  served: fc.constantFrom(1, 20),
  undecided: fc.constantFrom(
    null,
    { afterMinutes: 240, end: "rollback" as const },
    { afterMinutes: 240, end: "pause" as const },
  ),
});

const one = fc.integer({ min: 0, max: agents.length - 1 });
const lies: fc.Arbitrary<Progress> = fc.oneof(
  fc.constant({ kind: "nothing" as const }),
  fc.record({ kind: fc.constant("answering" as const), served: fc.nat(1000) }),
  fc.record({ kind: fc.constant("asked" as const), pairs: fc.nat(1000) }),
  fc.constant({ kind: "rejected" as const, why: "it says so" }),
  fc.constant({ kind: "unable" as const, why: "it says so" }),
  fc.constant({ kind: "updating" as const, why: "it says so" }),
);
/** What happens between two rounds of the reconciler. */
const events = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("live" as const), served: fc.integer({ min: 1, max: 30 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("time" as const), minutes: fc.integer({ min: 1, max: 400 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("online" as const), one, on: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("lie" as const),
      one,
      progress: lies,
      rev: fc.integer({ min: 0, max: 9 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("nature" as const),
      one,
      nature: fc.constantFrom("good" as const, "rejects" as const, "stalls" as const, "lacks memory" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("label" as const),
      one,
      city: fc.constantFrom(...cities),
      tz: fc.constantFrom(...zones),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("lacks" as const), one, lacks: fc.constantFrom(null, "memory") }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("budget" as const), one, over: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), one }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("join" as const), one }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("verdict" as const),
      verdict: fc.constantFrom("promote" as const, "promote" as const, "undecided" as const, "rollback" as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("well" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("dies" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("act" as const),
      act: fc.constantFrom("pause" as const, "resume" as const, "approve" as const, "retry" as const),
    }),
  },
);
type Event = typeof events extends fc.Arbitrary<infer T> ? T : never;

function happen(site: PretendedSite, event: Event): void {
  const agent = "one" in event ? agents[event.one] : undefined;
  const found = site.devices.find((each) => each.agent === agent);
  switch (event.kind) {
    case "live":
      site.live(event.served);
      break;
    case "time":
      site.now += event.minutes * minute;
      break;
    case "verdict":
      site.verdict = verdictOf(event.verdict);
      break;
    // All that a stage needs to pass: else worlds hardly ever reach the later ones.
    case "well":
      for (const each of site.devices)
        Object.assign(each, { online: true, nature: "good", lacks: null, overBudget: false });
      site.live(30);
      site.verdict = verdictOf("promote");
      break;
    case "dies":
      site.dies = true;
      break;
    case "join":
      if (!found && agent) site.devices.push(device(agent, { labels: { city: "berlin" } }));
      return;
    case "act":
      try {
        site.act(event.act);
      } catch (error) {
        expect(error).toMatchObject({ code: "conflict" });
      }
      break;
  }
  if (!found) return;
  if (event.kind === "online") found.online = event.on;
  if (event.kind === "lie") [found.progress, found.reportedRev] = [event.progress, event.rev];
  if (event.kind === "nature") found.nature = event.nature;
  if (event.kind === "label") found.labels = { city: event.city, tz: event.tz };
  if (event.kind === "lacks") found.lacks = event.lacks;
  if (event.kind === "budget") found.overBudget = event.over;
  if (event.kind === "leave") site.devices.splice(site.devices.indexOf(found), 1);
}

/** One round of the reconciler, and all that must hold after it. */
function round(site: PretendedSite, model: Model): void {
  const told = site.decisions.length;
  const wasOver = isOver(site.rollout.state);
  const { members: before, state: was, stage } = site.rollout;
  const held = new Map(site.devices.map(({ agent, holds }) => [agent, holds]));
  const directed = !site.dies;
  const fits = site.assignable === "yes" && site.gate.passed;
  // It is restarted in between, or not: the same comes out.
  const unbroken = advance(site.rollout, site.world(), site.now);
  const { rollout, decisions } = site.round();
  expect({ rollout, decisions }).toEqual(unbroken);
  const { policy, members } = rollout;
  if (wasOver) expect(site.decisions).toHaveLength(told);

  // Paused, nothing begins and nothing passes; what failed stays so until it is retried, or removed from the fleet.
  if (was === "paused")
    expect([rollout.stage, decisions.filter(({ action }) => action === "rollout.take")]).toEqual([stage, []]);
  for (const [agent, { state }] of before)
    if (state === "failed" && site.devices.some((each) => each.agent === agent))
      expect(members.get(agent)).toMatchObject({ state, given: null });
  // Members never leave, and never become less than they were.
  for (const agent of model.members) expect(members.has(agent)).toBe(true);
  for (const [agent, { kind }] of before) if (kind === "canary") expect(members.get(agent)?.kind).toBe("canary");
  for (const agent of members.keys()) model.members.add(agent);

  const taken = site.decisions
    .slice(told)
    .flatMap(({ action, detail }) => (action === "rollout.take" ? (detail.agents as string[]) : []));
  // Nobody is given what is not signed, listed and gated; nobody without the means.
  const holders = site.devices.filter(({ holds }) => holds !== null);
  if (directed && (!fits || isOver(rollout.state))) expect(holders).toEqual([]);
  for (const holder of directed ? holders : []) {
    expect(holder.lacks).toBeNull();
    expect(members.get(holder.agent)?.given).toBe(holder.holds);
  }
  for (const agent of taken) {
    model.takings.push(site.now);
    // Its attempt has a revision of its own: what it held before was taken back.
    if ((before.get(agent)?.given ?? null) === null) expect(held.get(agent)).toBeNull();
    const found = site.of(agent);
    expect(inWindow(policy.window, found.labels, site.now)).toBe(true);
    expect([found.online, found.overBudget]).toEqual([true, false]);
  }
  if (taken.length > 0) {
    expect(rollout.state).toBe("running");
    const open = [...members.values()].filter(
      ({ given, kind, state }) => given === kind && ["updating", "reverted", "offline"].includes(state),
    );
    expect(open.length).toBeLessThanOrEqual(policy.inFlight ?? 0);
  }
  if (policy.ramp && "perHour" in policy.ramp) {
    const hours = Math.max(1, 1 / policy.ramp.perHour);
    const lately = model.takings.filter((at) => at > site.now - hours * 60 * minute).length;
    expect(lately).toBeLessThanOrEqual(Math.max(1, policy.ramp.perHour));
  }
  const [first] = model.takings;
  if (policy.ramp && "factor" in policy.ramp && first !== undefined) {
    const { first: begin, factor } = policy.ramp;
    const hours = Math.floor((site.now - first) / (60 * minute));
    // A pause puts its hours off: then it is less.
    const most = Array.from({ length: hours + 1 }, (_, hour) => begin * factor ** hour).reduce(
      (sum, one) => sum + one,
      0,
    );
    expect(model.takings.length).toBeLessThanOrEqual(most);
  }
}

const worlds = fc.record({
  policy: policies,
  // As long as it may be: what fast-check takes by itself hardly ever leaves the first stage.
  events: fc.array(events, { maxLength: 60, size: "max" }),
  fleet: fc.integer({ min: 1, max: 12 }),
});
const start = ({ policy, fleet }: { policy: Parameters<typeof rolloutOf>[0]; fleet: number }) => {
  const devices = agents.slice(0, fleet).map((agent, i) => {
    const labels = { city: cities[i % 2] ?? "", tz: zones[i % 3] ?? "" };
    return device(agent, { labels, shadows: i % 5 !== 4 });
  });
  return pretendSite(rolloutOf(policy), devices);
};
const runs = { numRuns: 300 };

test("[R13] in any world members stay, limits, ramp and window hold, and nobody is given what may not be run", () => {
  fc.assert(
    fc.property(worlds, ({ events, ...world }) => {
      const site = start(world);
      const model: Model = { members: new Set(), takings: [] };
      for (const event of events) {
        happen(site, event);
        round(site, model);
      }
    }),
    runs,
  );
});

test("[R14] nothing is promoted without a verdict of promote in the last stage", () => {
  fc.assert(
    fc.property(worlds, ({ events, ...world }) => {
      const site = start(world);
      for (const event of events) {
        happen(site, event);
        const { stage } = site.rollout;
        const wasOver = isOver(site.rollout.state);
        site.round();
        if (wasOver || site.rollout.state !== "promoted") {
          // What passed one stage speaks for no other.
          if (site.rollout.stage > stage) site.verdict = verdictOf("undecided");
          continue;
        }
        expect([stage, site.verdict.verdict]).toEqual([site.rollout.policy.stages.length - 1, "promote"]);
        expect([...site.rollout.members.values()].some(({ state }) => state === "counted")).toBe(true);
      }
    }),
    runs,
  );
});

test("[R15] an abort, a revocation or a rollback at any moment ends in the incumbent on every member, for good", () => {
  const endings = fc.constantFrom("abort" as const, "revoked" as const, "gate" as const, "rollback" as const);
  fc.assert(
    fc.property(worlds, endings, ({ events, ...world }, ending) => {
      const site = start(world);
      for (const event of events) {
        happen(site, event);
        site.round();
      }
      if (isOver(site.rollout.state)) return;
      const began = site.rollout.members.size > 0;
      if (ending === "abort") site.act("abort");
      if (ending === "revoked") site.assignable = "revoked";
      if (ending === "gate") site.gate = { passed: false, why: "it ran out" };
      if (ending === "rollback") site.verdict = verdictOf("rollback");
      site.round();
      if (ending === "rollback" && !began) return;
      expect(site.rollout.state).toBe(ending === "rollback" ? "rolled_back" : "aborted");
      for (const one of site.devices) one.online = true;
      site.verdict = verdictOf("promote");
      for (const act of ["pause", "resume", "approve", "retry", "abort"] as const) {
        expect(() => site.act(act)).toThrow("is over");
      }
      for (let i = 0; i < 3; i++) {
        site.live(100);
        site.round();
        expect(site.devices.filter(({ holds, progress }) => holds !== null || progress.kind !== "nothing")).toEqual([]);
      }
    }),
    runs,
  );
});

test("[R16] whatever happened, once all are well and the verdict is promote it is promoted", () => {
  fc.assert(
    fc.property(worlds, ({ events, ...world }) => {
      const site = start(world);
      for (const event of events) {
        happen(site, event);
        site.round();
      }
      for (let i = 0; i < 400 && !isOver(site.rollout.state); i++) {
        for (const one of site.devices)
          Object.assign(one, { online: true, nature: "good", lacks: null, overBudget: false });
        site.verdict = verdictOf("promote");
        for (const act of ["resume", "approve", "retry"] as const) happen(site, { kind: "act", act });
        site.live(20);
        site.round();
        site.now += 45 * minute;
      }
      const nobody = site.devices.every(({ agent }) => !site.rollout.members.has(agent));
      const undecided = site.rollout.policy.undecided?.end === "rollback";
      if (!nobody && !undecided) expect(["promoted", "rolled_back"]).toContain(site.rollout.state);
    }),
    { numRuns: 100 },
  );
});
