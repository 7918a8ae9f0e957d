/** Makes the engine's world of what the database holds: who there is, what was decided for them, and what they reported. */
import type { AssignedSlot, ReportedSlot } from "@vedette/protocol/messages";
import type { Database } from "../../db/database.ts";
import type { DeviceRecord } from "../../db/records.ts";
import type { MemberKind, Rollout } from "../../db/rollout-records.ts";
import type { Clock } from "../../ports.ts";
import { asksBeside, type Candidate, type Decision, lacksForBoth, refusal, splitsRequests } from "../decide-slots.ts";
import type { Director } from "../director.ts";
import { isOver } from "./advance.ts";
import { overlap } from "./overlap.ts";
import type { DeviceFacts, GateAnswer, Progress, World } from "./world.ts";

/** Whether a version may be released at all; release/gate answers. */
export type Gate = (model: string, version: number) => Promise<GateAnswer>;

/** What is the same for all rollouts of a moment, so that it is read once. */
export interface Moment {
  readonly fleet: readonly (Decision & { readonly device: DeviceRecord })[];
  readonly candidates: readonly Candidate[];
  /** That are not over, the oldest first. */
  readonly live: readonly Rollout[];
  /** UTC ms, never going back. */
  readonly now: number;
  /** UTC ms by the clock on the wall: hours of the day are of this one. */
  readonly wall: number;
}

export async function readMoment(ports: {
  db: Database;
  director: Director;
  clock: Clock;
  wall: Clock;
}): Promise<Moment> {
  const { db, director, clock, wall } = ports;
  const live = await db.rollouts.live();
  const [fleet, candidates] = [await director.incumbents(), await director.candidates()];
  return { live, fleet, candidates, now: clock.now(), wall: wall.now() };
}

/** All but what the analysis says. */
export async function readWorld(
  rollout: Rollout,
  moment: Moment,
  ports: { online: (agent: string) => boolean; gate: Gate },
): Promise<Omit<World, "verdict">> {
  const { fleet, candidates, live } = moment;
  const { model, version } = rollout;
  const candidate = candidates.find((one) => one.model === model && one.version === version);
  const others = live.filter((one) => one.id !== rollout.id && one.model === model && !isOver(one.state));
  const earlier = others.find((one) => one.id < rollout.id && overlapping(one, rollout, fleet));
  return {
    assignable: candidate?.assignable ?? "not listed",
    gate: await ports.gate(model, version),
    blockedBy: earlier?.id ?? null,
    wall: moment.wall,
    devices: fleet.map((decided) => factsOf(rollout, decided, candidate, others, candidates, ports.online, moment.now)),
  };
}

/** Whether both can have the same device, by their selectors or because one of them has it already. */
function overlapping(a: Rollout, b: Rollout, fleet: Moment["fleet"]): boolean {
  const devices = fleet.map(({ device }) => device);
  return (
    overlap(a.policy.selector, b.policy.selector, devices) || [...a.members.keys()].some((one) => b.members.has(one))
  );
}

function factsOf(
  { model, digest }: Rollout,
  { device, slots, withheld }: Moment["fleet"][number],
  candidate: Candidate | undefined,
  others: readonly Rollout[],
  candidates: readonly Candidate[],
  online: (agent: string) => boolean,
  now: number,
): DeviceFacts {
  const decided = device.slots.find((slot) => slot.model === model);
  const said = device.report?.slots.find((slot) => slot.model === model);
  const data = device.report?.data;
  const answering = candidates.filter((one) =>
    slots.some((slot) => slot.digest === one.digest && slot.model === one.model),
  );
  const refused = withheld.find((one) => one.model === model);
  const incumbent = slots.find((slot) => slot.model === model)?.digest ?? null;
  return {
    agent: device.agent,
    labels: device.labels,
    online: online(device.agent),
    ...(device.abilities?.runtime.startsWith("browser") && { page: true }),
    incumbent,
    ...(incumbent === null && refused && { stranded: refused.reason }),
    lacks: candidate ? (refusal(candidate, device) ?? null) : null,
    shadows: asksBeside(device),
    splits: splitsRequests(device),
    lacksBoth: candidate ? (lacksForBoth(candidate, answering, device) ?? asksNothing(said, digest)) : null,
    overBudget:
      (data !== undefined && data.limit !== null && data.bytes >= data.limit && data.until > now) ||
      (said?.candidate?.digest === digest && said.candidate.reason === "data_budget"),
    takenBy: others.find(({ members }) => members.has(device.agent))?.id ?? null,
    holds: holdsAs(decided, digest),
    rev: device.rev,
    reportedRev: device.report?.rev ?? 0,
    progress: progressOf(said, digest),
  };
}

function holdsAs(decided: AssignedSlot | undefined, digest: string): MemberKind | null {
  if (decided?.digest === digest) return "canary";
  if (decided?.beside?.digest !== digest) return null;
  return decided.beside.split ? "split" : "shadow";
}

/** Why a device that answers by a version cannot ask another one beside it, as it found itself; null: it does, or tries to. */
function asksNothing(said: ReportedSlot | undefined, digest: string): string | null {
  const { beside } = said ?? {};
  if (beside?.answering !== digest || !(beside.state === "rejected" || beside.reason === "lacks_memory")) return null;
  return beside.why ?? beside.reason ?? "what it would ask beside was rejected there";
}

/** How far a device is with a version, by its own report. */
function progressOf(said: ReportedSlot | undefined, digest: string): Progress {
  if (said?.serving?.digest === digest) return { kind: "answering", served: said.served };
  if (said?.candidate?.digest === digest) {
    const { state, reason = null, why, passed } = said.candidate;
    const told = reason !== null && why !== undefined ? `${reason}: ${why}` : reason;
    if (state === "rejected") return { kind: "rejected", why: told ?? "rejected" };
    return state === "probation"
      ? { kind: "answering", served: passed ?? 0 }
      : { kind: "updating", why: told ?? state };
  }
  if (said?.beside?.digest === digest) {
    const { state, reason, why, pairs, served = 0 } = said.beside;
    const told = reason !== undefined && why !== undefined ? `${reason}: ${why}` : (reason ?? null);
    if (state === "rejected") return { kind: "rejected", why: told ?? "rejected" };
    if (reason === "lacks_memory") return { kind: "unable", why: why ?? reason };
    if (state === "answering") return { kind: "answering", served };
    return state === "asking" ? { kind: "asked", pairs } : { kind: "updating", why: told ?? onTrial(said) ?? state };
  }
  return { kind: "nothing" };
}

/** Nothing is loaded beside a version that has yet to prove itself. */
function onTrial({ candidate }: ReportedSlot): string | null {
  if (candidate?.state !== "probation") return null;
  const { passed = 0, of } = candidate;
  return `the version that answers is on probation, ${passed}${of === undefined ? "" : ` of ${of}`} answers: it is asked beside after that`;
}
