/**
 * The fleet's own watch, a reconciler: what devices sent since the last round is merged by device, by cohort and for the
 * fleet, detectors step on it, and what they find is attributed and written down as events. One transaction a round.
 *
 *     windows ─▶ detectors (device, cohort, fleet) ─▶ attribute ─▶ decide-events ─▶ database ─▶ listeners
 */
import type { DriftEventFeature } from "@vedette/protocol/drift-api";
import { messageOf } from "@vedette/protocol/errors";
import { effectOf, isWorse, judgeDrift } from "@vedette/protocol/judge-drift";
import type { DriftReport } from "@vedette/wasm-kernels";
import type { Database } from "../../db/database.ts";
import type { DriftEventRecord, DriftWindowRecord } from "../../db/drift.ts";
import type { Clock, Logger } from "../../ports.ts";
import { type Attribution, attribute } from "./attribute.ts";
import { decideEvents } from "./decide-events.ts";
import { type Detectors, evidenceOf, openDetectors, roundsToFalseAlarm } from "./detectors.ts";
import { lookBack, type Sightings } from "./look-back.ts";
import { capRows, cohortsOf, deviceSubject, type Member, subjectOf } from "./subjects.ts";
import type { WatchedVersion, WatchedVersions } from "./watched-versions.ts";

/** Expected share of devices wrongly named where a group has alarmed. */
const fdr = 0.05;
/** Windows that are kept to prove one alarm; features that an event names. */
const mostEvidence = 64;
const mostFeatures = 16;

/** An event that a round opened, raised or closed, by its id in the database. */
export interface EventChange {
  readonly kind: "opened" | "raised" | "closed";
  readonly id: number;
}

/** What is kept of an alarm. */
type Proof = Pick<DriftEventRecord, "verdict" | "features" | "raisedAfter" | "logE" | "agents"> & {
  /** Ids of windows. */
  readonly evidence: readonly number[];
};

/** One device's part of a round. */
interface Part {
  readonly agent: string;
  readonly snapshot: Uint8Array;
  readonly rows: number;
  readonly windows: readonly DriftWindowRecord[];
}

/** Merges all that waits. @param ports.tell hears of each event once the round is written. */
export function createDriftRounds(ports: {
  db: Database;
  versions: WatchedVersions;
  clock: Clock;
  logger: Logger;
  tell(change: EventChange): Promise<void>;
}): () => Promise<void> {
  const { db, versions, clock, logger, tell } = ports;

  async function runVersion(digest: string): Promise<void> {
    const pending = await db.drift.pending(digest);
    if (pending.length === 0) return;
    const watched = await versions.find(digest);
    const stored = await db.drift.banks(digest);
    const [last] = await db.drift.rounds(digest, 1);
    const round = Math.max(last?.round ?? 0, ...stored.map((bank) => bank.round)) + 1;
    const open = await db.drift.openEvents(digest);
    const load = (subject: string) => db.drift.bank(digest, subject);
    const detectors = openDetectors(watched, stored, round, load, (subject, error) =>
      logger.error("drift.detector_unreadable", { digest, subject, why: messageOf(error) }),
    );
    try {
      const parts = partsOf(pending, detectors);
      const members = await membersOf(stored, parts);
      const rowsBefore = new Map(parts.map(({ agent }) => [agent, detectors.of(deviceSubject(agent))?.rows ?? 0]));
      await stepAll(detectors, parts, members, open);
      const threshold = roundsToFalseAlarm(watched);
      const bar = Math.log(threshold);
      const seen = await lookBack({ db, watched, detectors }, { parts, rowsBefore, round, devices: members.length });
      const found = attributeNow(detectors, members, { open, threshold, windowRows: watched.policy.windowRows, seen });
      const proofs = new Map<Attribution, Proof>();
      for (const one of found) {
        const proof = await prove(watched, detectors, one, { round, parts, seen });
        // Certain, and too small to matter by the policy: no event.
        if (proof.verdict !== "notice") proofs.set(one, proof);
      }
      const decided = decideEvents(open, [...proofs.keys()], detectors.of, bar);
      const at = clock.now();
      const opened = decided.opened.map((one) => ({
        ...{ model: watched.model, digest, scope: one.scope, subject: subjectOf(one.scope) },
        ...(proofs.get(one) as Proof),
        ...{ openedAt: at, raisedAt: at, raised: 1, closedAt: null },
      }));
      const raised = decided.raised.map(({ event, by }) => {
        const before = open.find(({ id }) => id === event.id) as DriftEventRecord;
        const proof = proofs.get(by) as Proof;
        const verdict = isWorse(proof.verdict, before.verdict) ? proof.verdict : before.verdict;
        return { ...before, ...proof, agents: before.agents, verdict, raisedAt: at, raised: before.raised + 1 };
      });
      const whole = detectors.report(parts.map(({ snapshot }) => snapshot));
      const fleet = detectors.of("fleet");
      const judged = judgeDrift({ ...whole.report, alarm: false }, watched.policy);
      const logE = fleet?.logE ?? 0;
      // After the proofs are taken.
      for (const subject of heardBy(found, members, open)) detectors.restart(subject);

      const cap = capRows(parts.map(({ rows }) => rows));
      const ids = await db.drift.commit({
        round: {
          digest,
          round,
          at,
          devices: parts.length,
          rows: whole.report.n,
          capped: parts.filter(({ rows }) => rows > cap).length,
          snapshot: Buffer.from(whole.snapshot),
          logE,
          verdict: fleet && evidenceOf(fleet, watched.policy.windowRows) >= bar ? "drift" : judged.verdict,
          top: judged.top,
        },
        windows: pending.map(({ id }) => id),
        banks: detectors.changed(),
        opened,
        raised,
        closed: decided.closed,
      });
      const changes: EventChange[] = [
        ...ids.map((id) => ({ kind: "opened" as const, id })),
        ...raised.map(({ id }) => ({ kind: "raised" as const, id })),
        ...decided.closed.map((id) => ({ kind: "closed" as const, id })),
      ];
      for (const change of changes) await tell(change);
    } finally {
      detectors.free();
    }
  }

  /** Devices with a detector or a part in this round, with their labels now. */
  async function membersOf(stored: readonly { subject: string }[], parts: readonly Part[]): Promise<Member[]> {
    const agents = new Set(parts.map(({ agent }) => agent));
    for (const { subject } of stored) if (subject.startsWith("device:")) agents.add(subject.slice("device:".length));
    return (await db.devices.members()).filter(({ agent, revokedAt }) => agents.has(agent) && revokedAt === null);
  }

  /** What is kept of an alarm: the windows since its detector began, and what they say together. */
  async function prove(
    watched: WatchedVersion,
    detectors: Detectors,
    { scope, agents }: Attribution,
    { round, parts, seen }: { round: number; parts: readonly Part[]; seen: Sightings },
  ): Promise<Proof> {
    const subject = subjectOf(scope);
    const own = detectors.of(subject);
    const steps = Math.max(
      1,
      own?.steps ?? 1,
      ...agents.map((agent) => detectors.of(deviceSubject(agent))?.steps ?? 1),
    );
    const now = parts.filter(({ agent }) => agents.includes(agent)).flatMap(({ windows }) => windows);
    const room = Math.max(0, mostEvidence - now.length);
    const before = await db.drift.merged(watched.digest, agents, round - steps, room);
    const windows = [...before.toReversed(), ...now].slice(-mostEvidence);
    const { report } = detectors.report(windows.map(({ snapshot }) => new Uint8Array(snapshot)));
    const logE = loudest([own?.features, ...agents.map((agent) => detectors.of(deviceSubject(agent))?.features)]);
    const features = namedFeatures(report, logE, new Set(agents.flatMap((agent) => seen.get(agent) ?? [])));
    const top = features[0]?.name ?? report.topFeature;
    const { verdict } = judgeDrift({ ...report, alarm: true, topFeature: top }, watched.policy);
    return {
      verdict,
      features,
      raisedAfter: steps,
      logE: Math.max(own?.logE ?? 0, ...agents.map((agent) => detectors.of(deviceSubject(agent))?.logE ?? 0)),
      agents: [...agents],
      evidence: windows.map(({ id }) => id),
    };
  }

  return async () => {
    for (const digest of await db.drift.waiting()) {
      try {
        await runVersion(digest);
      } catch (error) {
        // One version's damage must not keep the others from being watched.
        logger.error("drift.round_failed", { digest, why: messageOf(error) });
      }
    }
  };
}

/** Each device's windows as one. */
function partsOf(pending: readonly DriftWindowRecord[], detectors: Detectors): Part[] {
  return [...Map.groupBy(pending, ({ agent }) => agent)].map(([agent, windows]) => {
    const { snapshot } = detectors.report(windows.map(({ snapshot }) => new Uint8Array(snapshot)));
    return { agent, windows, snapshot, rows: windows.reduce((sum, { rows }) => sum + rows, 0) };
  });
}

/** Devices whose drift is told already are left out of the groups': these are asked about the rest. */
async function stepAll(
  detectors: Detectors,
  parts: readonly Part[],
  members: readonly Member[],
  open: readonly DriftEventRecord[],
): Promise<void> {
  const byAgent = new Map(parts.map((part) => [part.agent, part]));
  for (const { agent, snapshot, rows } of parts) await detectors.step(deviceSubject(agent), [snapshot], rows);
  const everyone = members.map(({ agent }) => agent);
  const groups = [
    ...cohortsOf(members).map(({ label, value, agents }) => ({
      subject: subjectOf({ kind: "cohort", label, value }),
      agents,
    })),
    { subject: subjectOf({ kind: "fleet" }), agents: everyone },
  ];
  for (const { subject, agents } of groups) {
    const told = toldApart(subject, open);
    const those = agents.flatMap((agent) => (told.has(agent) ? [] : (byAgent.get(agent) ?? [])));
    if (those.length === 0) continue;
    const cap = capRows(those.map(({ rows }) => rows));
    const rows = those.reduce((sum, part) => sum + Math.min(cap, part.rows), 0);
    const snapshots = those.map(({ snapshot }) => snapshot);
    await detectors.step(subject, snapshots, rows, cap);
  }
}

function attributeNow(
  detectors: Detectors,
  members: readonly Member[],
  {
    open,
    threshold,
    windowRows,
    seen,
  }: { open: readonly DriftEventRecord[]; threshold: number; windowRows: number; seen: Sightings },
): Attribution[] {
  const of = (subject: string) => {
    const one = detectors.of(subject);
    return one && { logE: evidenceOf(one, windowRows), steps: one.steps };
  };
  const devices = members.flatMap(({ agent }) => {
    const one = of(deviceSubject(agent));
    return one ? [{ agent, ...one, seen: seen.has(agent) }] : [];
  });
  const cohorts = cohortsOf(members).flatMap((cohort) => {
    const one = of(subjectOf({ kind: "cohort", ...cohort }));
    return one ? [{ ...cohort, ...one }] : [];
  });
  return attribute({
    devices,
    cohorts,
    fleet: of("fleet") ?? null,
    toldApart: (scope) => toldApart(subjectOf(scope), open),
    threshold,
    fdr,
  });
}

/**
 * Detectors that begin anew: of whom an alarm is about, and of every group whose detector has seen their rows. One that
 * is asked about the rest goes on: a device that alarms round after round must not keep its fleet's from adding up.
 */
function heardBy(
  found: readonly Attribution[],
  members: readonly Member[],
  open: readonly DriftEventRecord[],
): Set<string> {
  const agents = new Set(found.flatMap((one) => one.agents));
  const groups = [
    ...cohortsOf(members).map((cohort) => ({
      subject: subjectOf({ kind: "cohort", label: cohort.label, value: cohort.value }),
      seen: cohort.agents,
    })),
    { subject: subjectOf({ kind: "fleet" }), seen: members.map(({ agent }) => agent) },
  ];
  const heard = groups.filter(({ subject, seen }) => {
    if (found.some(({ scope }) => subjectOf(scope) === subject)) return true;
    const told = toldApart(subject, open);
    return seen.some((agent) => agents.has(agent) && !told.has(agent));
  });
  return new Set([...[...agents].map(deviceSubject), ...heard.map(({ subject }) => subject)]);
}

/** Devices that a group's detector is not stepped on: their drift is another event's. */
function toldApart(subject: string, open: readonly DriftEventRecord[]): Set<string> {
  return new Set(
    open.flatMap((event) => (event.scope.kind === "fleet" || event.subject === subject ? [] : event.agents)),
  );
}

/** By feature, the loudest of several detectors. */
function loudest(all: readonly (readonly number[] | undefined)[]): number[] {
  const first = all.find((one) => one !== undefined) ?? [];
  return first.map((_, f) => Math.max(...all.map((one) => one?.[f] ?? 0)));
}

/** The features that an alarm is about: the loudest, and those that are loud enough beside it. */
function namedFeatures(
  { features }: DriftReport,
  logE: readonly number[],
  seen: ReadonlySet<string>,
): DriftEventFeature[] {
  const enough = Math.log(features.length / fdr);
  const all = features.map((feature, f) => ({ feature, logE: logE[f] ?? 0 }));
  const certain = all.filter(({ feature, logE: loud }) => loud >= enough || seen.has(feature.name));
  const byEvidence = (a: (typeof all)[number], b: (typeof all)[number]) =>
    Math.max(b.logE, enough) - Math.max(a.logE, enough) || effectOf(b.feature) - effectOf(a.feature);
  const named = certain.length > 0 ? certain.toSorted(byEvidence) : all.toSorted((a, b) => b.logE - a.logE).slice(0, 1);
  return named.slice(0, mostFeatures).map(({ feature, logE: loud }) => ({
    name: feature.name,
    logE: loud,
    psi: feature.psi,
    effect: effectOf(feature),
    n: feature.n,
    missing: feature.missing,
  }));
}
