/** A fleet of pretended devices around the pure engine: what the director would decide, what they would report. Exact. */
import { type RolloutVerdict, rolloutPolicy } from "@vedette/protocol/rollout";
import type { z } from "zod";
import type { Member, MemberKind, Rollout } from "../src/db/rollout-records.ts";
import { type Advanced, advance, type Decision, isOver } from "../src/release/rollouts/advance.ts";
import { notBegun } from "../src/release/rollouts/not-begun.ts";
import { type Act, operate } from "../src/release/rollouts/operate.ts";
import type { DeviceFacts, Progress, World } from "../src/release/rollouts/world.ts";

export const candidate = "c".repeat(64);
const incumbent = "a".repeat(64);
export const minute = 60_000;

export interface PretendedDevice {
  readonly agent: string;
  labels: Record<string, string>;
  online: boolean;
  lacks: string | null;
  overBudget: boolean;
  shadows: boolean;
  splits: boolean;
  /** What the director assigns the candidate as, and how it numbered that. */
  holds: MemberKind | null;
  rev: number;
  reportedRev: number;
  progress: Progress;
  /** What it will do with the candidate. */
  nature: "good" | "rejects" | "stalls" | "lacks memory";
}

export function device(agent: string, over: Partial<PretendedDevice> = {}): PretendedDevice {
  return {
    ...{ agent, labels: {}, online: true, lacks: null, overBudget: false, shadows: true, splits: true, holds: null },
    ...{ rev: 1, reportedRev: 1, progress: { kind: "nothing" }, nature: "good" },
    ...over,
  };
}

export function fleet(n: number, over: Partial<PretendedDevice> = {}): PretendedDevice[] {
  return Array.from({ length: n }, (_, i) => device(`d${i}`, over));
}

/** Stages. */
export function canaries(...shares: number[]): { kind: "canary"; share: number }[] {
  return shares.map((share) => ({ kind: "canary", share }));
}

export function verdictOf(verdict: RolloutVerdict["verdict"], over: Partial<RolloutVerdict> = {}): RolloutVerdict {
  const says = verdict === "promote" ? "fine" : verdict === "rollback" ? "worse" : "undecided";
  const finding = {
    metric: "unfit",
    says,
    estimate: 0,
    low: 0,
    high: 0,
    margin: 0.02,
    n: 100,
    more: null,
    why: verdict,
  } as const;
  return { verdict, findings: [finding], why: `unfit: ${verdict}`, ...over };
}

export function rolloutOf(policy: z.input<typeof rolloutPolicy> = {}, over: Partial<Rollout> = {}): Rollout {
  return {
    ...{ id: 1, model: "rain", version: 2, digest: candidate, salt: "salt", policy: rolloutPolicy.parse(policy) },
    ...{ experiment: null, createdAt: 0, createdBy: "ann" },
    ...notBegun,
    ...over,
  };
}

export interface PretendedSite {
  now: number;
  rollout: Rollout;
  devices: PretendedDevice[];
  verdict: RolloutVerdict;
  assignable: World["assignable"];
  gate: World["gate"];
  blockedBy: number | null;
  /** The control plane dies in its next round, after it wrote and before the director decided. */
  dies: boolean;
  readonly decisions: (Decision & { readonly at: number })[];
  world(): World;
  /** One round of the reconciler, the control plane restarted before it: the engine, then the director. */
  round(): Advanced;
  act(act: Act): void;
  /** Devices follow what they are assigned, as their nature is, and serve so many predictions. */
  live(served: number, only?: (device: PretendedDevice) => boolean): void;
  of(agent: string): PretendedDevice;
  member(agent: string): Member | undefined;
}

export function pretendSite(rollout: Rollout, devices: PretendedDevice[]): PretendedSite {
  const site: PretendedSite = {
    now: Date.UTC(2026, 0, 5),
    rollout,
    devices,
    verdict: verdictOf("undecided"),
    assignable: "yes",
    gate: { passed: true, why: "all checks" },
    blockedBy: null,
    dies: false,
    decisions: [],
    world: () => ({
      devices: site.devices.map(factsOf),
      assignable: site.assignable,
      gate: site.gate,
      blockedBy: site.blockedBy,
      wall: site.now,
      verdict: site.rollout.members.size === 0 ? null : site.verdict,
    }),
    round() {
      const before = restarted(site.rollout);
      const advanced = advance(before, site.world(), site.now);
      note(advanced);
      if (!site.dies) direct();
      site.dies = false;
      return advanced;
    },
    act(act) {
      note(operate(restarted(site.rollout), act, { reason: null }, site.now));
      if (!site.dies) direct();
    },
    live(served, only = () => true) {
      for (const one of site.devices) if (one.online && only(one)) follow(one, served);
    },
    of(agent) {
      const found = site.devices.find((one) => one.agent === agent);
      if (!found) throw new Error(`no device ${agent}`);
      return found;
    },
    member: (agent) => site.rollout.members.get(agent),
  };
  function note({ rollout: after, decisions }: Advanced): void {
    site.rollout = after;
    site.decisions.push(...decisions.map((one) => ({ ...one, at: site.now })));
  }
  /** What release/decide-slots makes of it: by the overlay, and only where the device may. */
  function direct(): void {
    for (const one of site.devices) {
      const given = isOver(site.rollout.state) ? null : (site.rollout.members.get(one.agent)?.given ?? null);
      const holds = one.lacks === null && site.assignable === "yes" ? given : null;
      if (holds !== one.holds) [one.holds, one.rev] = [holds, one.rev + 1];
    }
  }
  return site;
}

/** How many of its members are in which state. */
export function states({ rollout }: Pick<PretendedSite, "rollout">): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of rollout.members.values()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** As it is read from the database after a restart. */
function restarted(rollout: Rollout): Rollout {
  const { members, ...rest } = rollout;
  const text = JSON.stringify({ ...rest, members: [...members.values()] });
  const read = JSON.parse(text) as Omit<Rollout, "members"> & { members: Member[] };
  return { ...read, members: new Map(read.members.map((member) => [member.agent, member])) };
}

function factsOf({ nature: _, ...facts }: PretendedDevice): DeviceFacts {
  return { ...facts, incumbent, takenBy: null };
}

function follow(one: PretendedDevice, served: number): void {
  const rejectedHere = one.progress.kind === "rejected" && one.reportedRev === one.rev;
  one.reportedRev = one.rev;
  if (one.holds === null) one.progress = { kind: "nothing" };
  else if (rejectedHere) return;
  else if (one.nature === "rejects") one.progress = { kind: "rejected", why: "proof_failed: off by 0.3" };
  else if (one.nature === "lacks memory" && (one.holds === "shadow" || one.holds === "split"))
    one.progress = { kind: "unable", why: "lacks memory for both" };
  else if (one.nature === "stalls") one.progress = { kind: "updating", why: "fetching" };
  else if (one.holds === "shadow") {
    one.progress = { kind: "asked", pairs: (one.progress.kind === "asked" ? one.progress.pairs : 0) + served };
  } else
    one.progress = {
      kind: "answering",
      served: (one.progress.kind === "answering" ? one.progress.served : 0) + served,
    };
}
