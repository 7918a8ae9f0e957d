/**
 * The life of a version on one device, as a pure table: no I/O, no clock. `model-keeper.ts` says what happened, saves the
 * pins that come out, and only then acts on them, so that a power failure at any point leaves a device serving.
 *
 *     absent ──assigned──▶ fetching ──fetched──▶ verified ──started──▶ proving ──proved──▶ probation ──passed──▶ serving
 *        ▲                    │                     │                   │  ▲ started          │  ▲ started         │
 *        │ assigned by a      │ failed              │ failed            │  └──┘ (again)       │  └──┘ (again)      │ another passed,
 *        │ higher revision    ▼                     ▼                   ▼ failed, crash loop  ▼ failed, crash loop │ or unassigned
 *        └──────────────── rejected(reason) ◀───────┴───────────────────┴────────────────────┘                    ▼
 *                             ▲                                                                                previous
 *                             ├── broken (unfit to serve, or under the floor) ── serving, previous                │ pushed out
 *                             └── tripped, or booted once too often (the previous one serves) ── serving          │
 *                                                                                                                 ▼
 *                                                    superseded candidates, and what no pin names ──────────▶ evicted
 *
 * Lost files take a candidate back to fetching. While a candidate is on probation it answers; the serving pin still names the version to return to.
 */
import { type Beside, type BesideEvent, stepBeside } from "../shadow/beside-life.ts";
import type { RejectReason } from "./reject-reason.ts";

export type VersionState =
  | "absent"
  | "fetching"
  | "verified"
  | "proving"
  | "probation"
  | "serving"
  | "previous"
  | "evicted"
  | "rejected";

export interface Pin {
  readonly digest: string;
  readonly release: number;
  /** Bytes of the manifest. */
  readonly length: number;
  /** Predictions known to be answered by it when the pin was last saved: what was served since is not counted. */
  readonly served: number;
  /** Boots with it as the serving version that came to no life; none where absent. */
  readonly starts?: number | undefined;
}
export interface Candidate extends Pin {
  readonly state: "fetching" | "verified" | "proving" | "probation" | "rejected";
  /** Of the assignment that named it last. */
  readonly rev: number;
  /** Starts (proofs and boots) that have not reached the end of probation. */
  readonly starts: number;
  readonly reason: RejectReason | null;
  /** The reason in words, for people. */
  readonly why?: string | undefined;
}
interface Rejection {
  readonly digest: string;
  readonly rev: number;
  readonly reason: RejectReason;
  /** UTC ms. */
  readonly at: number;
}
export interface Pins {
  readonly serving: Pin | null;
  readonly previous: Pin | null;
  readonly candidate: Candidate | null;
  /** What is asked beside the version that answers. */
  readonly beside: Beside | null;
  /** Newest last; not fetched again until assigned by a higher revision. */
  readonly rejected: readonly Rejection[];
}

export type LifeEvent =
  | { readonly kind: "assigned"; readonly version: Omit<Pin, "served">; readonly rev: number }
  | { readonly kind: "unassigned" }
  | { readonly kind: "fetched" }
  /** Its files, whole before, are no longer: the disk lost some. */
  | { readonly kind: "lost" }
  /** About to be loaded: saved before, so that a crash while loading counts. */
  | { readonly kind: "started" }
  /** `forgiven`: what ended the earlier starts was no crash of this version. */
  | { readonly kind: "proved"; readonly forgiven: boolean }
  /** Probation is over after this many predictions. */
  | { readonly kind: "passed"; readonly served: number }
  /** A clean stop on probation is no crash. What the serving version has answered by now is kept. */
  | { readonly kind: "stopped"; readonly served: number }
  | { readonly kind: "failed"; readonly reason: RejectReason; readonly why?: string }
  /** The serving version is about to be loaded by a new process: saved before, so that one which never lives is counted. */
  | { readonly kind: "booted"; readonly rev: number }
  /** It answered, or stood for a while. */
  | { readonly kind: "lived" }
  /** The serving version does harm, after its probation: where there is one before it, that one returns. */
  | { readonly kind: "tripped"; readonly reason: RejectReason; readonly why?: string; readonly rev: number }
  /** The serving version cannot be loaded any more; with a reason it is also rejected (until assigned above `rev`). */
  | { readonly kind: "broken"; readonly reason: RejectReason | null; readonly rev: number }
  /** What happened to the version that is asked beside. */
  | { readonly kind: "beside"; readonly of: BesideEvent }
  /** Lowest release that signed metadata lets serve. */
  | { readonly kind: "floor"; readonly release: number };

export const noPins: Pins = { serving: null, previous: null, candidate: null, beside: null, rejected: [] };
/** The fourth start of a candidate that never reached the end of probation does not happen, where another version can serve. */
export const maxStarts = 3;
const rememberedRejections = 32;

/** Which state of the candidate each event may find, and what it becomes. What is not here changes nothing. */
export const transitions = {
  fetched: { fetching: "verified" },
  lost: { verified: "fetching", proving: "fetching", probation: "fetching" },
  started: { verified: "proving", proving: "proving", probation: "probation" },
  proved: { proving: "probation", probation: "probation" },
  passed: { probation: "serving" },
  failed: { fetching: "rejected", verified: "rejected", proving: "rejected", probation: "rejected" },
} as const satisfies Partial<Record<LifeEvent["kind"], Partial<Record<Candidate["state"], VersionState>>>>;

/**
 * What the pins become; the very same object where the event changes nothing.
 * @param now UTC ms, for the record of a rejection.
 */
export function step(pins: Pins, event: LifeEvent, now: number): Pins {
  switch (event.kind) {
    case "assigned":
      return assign(pins, event.version, event.rev);
    case "unassigned":
      if (!pins.serving && !pins.candidate) return pins;
      return { ...pins, serving: null, previous: pins.serving ?? pins.previous ?? onTrial(pins), candidate: null };
    case "broken":
      if (!pins.serving) return pins;
      return remember(
        { ...pins, serving: rested(pins.previous), previous: null },
        event.reason && { digest: pins.serving.digest, rev: event.rev, reason: event.reason, at: now },
      );
    case "booted": {
      if (!pins.serving) return pins;
      const starts = (pins.serving.starts ?? 0) + 1;
      if (starts <= maxStarts || !pins.previous) return { ...pins, serving: { ...pins.serving, starts } };
      return trip(pins, { reason: "crash_loop", rev: event.rev }, now);
    }
    case "lived":
      return pins.serving?.starts ? { ...pins, serving: { ...pins.serving, starts: 0 } } : pins;
    case "tripped":
      return trip(pins, event, now);
    case "beside": {
      const beside = stepBeside(pins.beside, event.of);
      return beside === pins.beside ? pins : { ...pins, beside };
    }
    case "floor":
      return applyFloor(pins, event.release, now);
    case "stopped": {
      const { serving: last } = pins;
      const served = Math.max(last?.served ?? 0, event.served);
      const serving = last && { ...last, served, ...(last.starts ? { starts: 0 } : {}) };
      const { candidate } = pins;
      if (candidate?.state !== "probation") return { ...pins, serving };
      return { ...pins, serving, candidate: { ...candidate, starts: Math.max(0, candidate.starts - 1) } };
    }
    default:
      return moveCandidate(pins, event, now);
  }
}

function assign(pins: Pins, version: Omit<Pin, "served">, rev: number): Pins {
  const { candidate } = pins;
  if (pins.serving?.digest === version.digest) return candidate ? { ...pins, candidate: null } : pins;
  const rejection = pins.rejected.findLast((each) => each.digest === version.digest);
  if (rejection && rejection.rev >= rev) {
    if (candidate?.digest === version.digest) return pins;
    return { ...pins, candidate: { ...fresh(version, rev), state: "rejected", reason: rejection.reason } };
  }
  if (candidate?.digest !== version.digest || candidate.state === "rejected") {
    return { ...pins, candidate: fresh(version, rev) };
  }
  return candidate.rev === rev ? pins : { ...pins, candidate: { ...candidate, rev } };
}

/** A candidate that answers already: withdrawn, it leaves its fields and rules as a serving version does. */
function onTrial({ candidate }: Pins): Pin | null {
  if (candidate?.state !== "probation") return null;
  const { digest, release, length, served } = candidate;
  return { digest, release, length, served };
}

function fresh(version: Omit<Pin, "served">, rev: number): Candidate {
  const { digest, release, length } = version;
  return { digest, release, length, served: 0, state: "fetching", rev, starts: 0, reason: null };
}

function moveCandidate(pins: Pins, event: Extract<LifeEvent, { kind: keyof typeof transitions }>, now: number): Pins {
  const { candidate } = pins;
  const to = candidate && (transitions[event.kind] as Partial<Record<VersionState, VersionState>>)[candidate.state];
  if (!candidate || !to) return pins;
  switch (event.kind) {
    case "proved": {
      const starts = event.forgiven ? 0 : candidate.starts;
      if (to === candidate.state && starts === candidate.starts) return pins;
      return { ...pins, candidate: { ...candidate, state: to as "probation", starts } };
    }
    case "fetched":
    case "lost":
      return to === candidate.state ? pins : { ...pins, candidate: { ...candidate, state: to as "verified" } };
    case "started":
      // With none to return to, trying on is all there is: the keeper waits ever longer.
      if (candidate.starts >= maxStarts && (pins.serving ?? pins.previous))
        return reject(pins, candidate, "crash_loop", now);
      return { ...pins, candidate: { ...candidate, state: to as "proving", starts: candidate.starts + 1 } };
    case "failed":
      return reject(pins, { ...candidate, why: event.why }, event.reason, now);
    case "passed": {
      const { digest, release, length } = candidate;
      const serving = { digest, release, length, served: event.served };
      return { ...pins, serving, previous: rested(pins.serving ?? pins.previous), candidate: null };
    }
  }
}

/** Boots that it saw when it served before are forgotten. */
function rested(pin: Pin | null): Pin | null {
  if (!pin?.starts) return pin;
  const { digest, release, length, served } = pin;
  return { digest, release, length, served };
}

/** A version that harms is better left than kept, but only for another that served: the ladder answers for it meanwhile. */
function trip(
  pins: Pins,
  { reason, why, rev }: { reason: RejectReason; why?: string; rev: number },
  now: number,
): Pins {
  const { serving, previous } = pins;
  if (!serving || !previous) return pins;
  const rejected: Candidate = { ...fresh(serving, rev), state: "rejected", reason, why };
  const next = { ...pins, serving: rested(previous), previous: null, candidate: pins.candidate ?? rejected };
  return remember(next, { digest: serving.digest, rev, reason, at: now });
}

function reject(pins: Pins, candidate: Candidate, reason: RejectReason, now: number): Pins {
  const { digest, rev } = candidate;
  return remember(
    { ...pins, candidate: { ...candidate, state: "rejected", reason } },
    { digest, rev, reason, at: now },
  );
}

function remember(pins: Pins, rejection: Rejection | null): Pins {
  if (!rejection) return pins;
  const others = pins.rejected.filter((each) => each.digest !== rejection.digest);
  return { ...pins, rejected: [...others, rejection].slice(-rememberedRejections) };
}

/** A version under the floor serves no more, wherever it stands; it is not remembered: the floor itself keeps it out. */
function applyFloor(pins: Pins, floor: number, now: number): Pins {
  let next = pins;
  if (next.candidate && next.candidate.state !== "rejected" && next.candidate.release < floor) {
    next = reject(next, next.candidate, "revoked", now);
  }
  if (next.beside && next.beside.state !== "rejected" && next.beside.release < floor) {
    const why = `release ${next.beside.release} is under the floor ${floor}`;
    next = { ...next, beside: stepBeside(next.beside, { kind: "failed", reason: "revoked", why }) };
  }
  if (next.previous && next.previous.release < floor) next = { ...next, previous: null };
  if (next.serving && next.serving.release < floor) next = { ...next, serving: next.previous, previous: null };
  return next;
}

/** Digests whose files must stay: what the pins name and may still serve, or be asked. */
export function pinned(pins: Pins): string[] {
  const candidate = pins.candidate?.state === "rejected" ? null : pins.candidate;
  const beside = pins.beside?.state === "rejected" ? null : pins.beside;
  return [pins.serving, pins.previous, candidate, beside].flatMap((pin) => (pin ? [pin.digest] : []));
}
