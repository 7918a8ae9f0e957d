/**
 * Reads what a rollout is judged by: the parcels that its members sent, labels that came since, what devices say of drift, and
 * business metrics. `compose-release.ts` hands the judge that is made here to the engine (release/rollouts).
 */
import { setImmediate } from "node:timers/promises";
import type { ReportedSlot } from "@vedette/protocol/messages";
import type { RolloutVerdict } from "@vedette/protocol/rollout";
import type { Database } from "../../db/database.ts";
import type { Rollout } from "../../db/rollout-records.ts";
import type { ShadowParcelRecord } from "../../db/shadows.ts";
import type { MetricGroup } from "../../measured.ts";
import type { Clock, Labels } from "../../ports.ts";
import { addMeans, noMean } from "../../statistics/mean-sequence.ts";
import type { DeviceFacts, Judge } from "../rollouts/world.ts";
import { type AskedOfBoth, askedOfBoth } from "./asked-of-both.ts";
import { together, togetherInLast } from "./even-shares.ts";
import { type Evidence, noEvidence, type PairedLabels } from "./evidence.ts";
import { judgeStage } from "./judge-evidence.ts";
import { joinedInLast, partsOfJoined, stillToTell, whereInLast } from "./last-stage.ts";
import { addPairs, noPairs, type PairedEvidence } from "./paired-evidence.ts";

const atOnce = 500;
/** Labels and business metrics are read of the lake: that may take this part of the time, and is not done more often than this, ms. */
const lakeShare = 0.2;
const lakeEveryMs = 5_000;
/** However long it seems to have taken: a clock that was set forward meanwhile has it read again for all that. */
const lakeEveryMsAtMost = 1_800_000;
/**
 * A device takes for the time what it was told over its line, so it is behind by as much: rows of after a moment may bear a time that
 * is so much before it, and would lack their labels. ms.
 */
const deviceTimeMs = 60_000;
/** What was read of a rollout that nobody asks of any more. ms. */
const forgetAfterMs = 3_600_000;

/** Devices of which each is left out once to see whether it alone makes the verdict; in larger fleets none can. */
const mostTriedWithout = 100;

/** What came since one moment. */
interface Tally {
  /** UTC ms, of the parcels' arrival. */
  readonly since: number;
  /** By device, members or not yet. */
  readonly pairs: Map<string, PairedEvidence>;
  /** By device whose parcels had rows that both were asked. */
  readonly told: Map<string, { from: number; at: number }>;
  readonly asked: AskedOfBoth;
  /** By device. */
  labels: ReadonlyMap<string, PairedLabels>;
  labelled: ReadonlyMap<string, number>;
  /** UTC ms: not before. */
  labelsAgainAt: number;
}
/** What was read of one rollout so far, so that each look reads what is new. */
interface Read {
  /** UTC ms of the last look: a replay asks of an earlier moment, and begins anew. */
  at: number;
  /** By incumbent: the last parcel added. */
  readonly after: Map<string, number>;
  readonly whole: Tally;
  /** Of the last stage, once it is under way. */
  last: Tally | null;
  business: Evidence["business"];
  /** UTC ms: not before. */
  businessAgainAt: number;
}

/** @param ports.of `past` reads what had come until the moment that it is asked of; `now` all there is, whatever clocks said. */
export function createEvidenceJudge(ports: {
  db: Database;
  labels: Pick<Labels, "pairs" | "metrics">;
  clock: Pick<Clock, "now">;
  of?: "now" | "past";
}): Judge {
  const { db, labels, clock, of = "now" } = ports;
  const known = new Map<number, Read>();

  async function readParcels(rollout: Rollout, incumbents: readonly string[], read: Read, now: number): Promise<void> {
    const { model, digest: candidate } = rollout;
    pairs: for (const incumbent of incumbents) {
      for (;;) {
        const after = read.after.get(incumbent) ?? 0;
        const parcels = await db.shadows.between(model, [candidate, incumbent], after, atOnce);
        for (const parcel of parcels) {
          if (of === "past" && parcel.receivedAt > now) continue pairs;
          read.after.set(incumbent, parcel.id);
          for (const tally of talliesOf(read)) if (parcel.receivedAt >= tally.since) addParcel(tally, parcel, rollout);
        }
        if (parcels.length < atOnce) break;
        // Weeks of a fleet are millions: others have their turn in between.
        await setImmediate();
      }
    }
  }

  async function readLabels(rollout: Rollout, tally: Tally, now: number): Promise<void> {
    const wanted = rollout.policy.metrics.some(({ metric }) => metric === "accuracy");
    if (!wanted || !tally.asked.any || now < tally.labelsAgainAt) return;
    const began = clock.now();
    const { asked } = tally;
    const since = tally.since - deviceTimeMs;
    const request = { model: rollout.model, since, spans: asked.spans(), disagreements: asked.disagreements() };
    const truths = await labels.pairs(request);
    tally.labels = asked.labelsOf(truths, rollout.digest);
    // By device the last one stays.
    tally.labelled = new Map(truths.toSorted((a, b) => a.until - b.until).map(({ agent, until }) => [agent, until]));
    tally.labelsAgainAt = againAt(now, began);
  }

  /** When the lake is read again, after what began then. */
  function againAt(now: number, began: number): number {
    const tookMs = Math.max(0, clock.now() - began);
    return now + Math.min(lakeEveryMsAtMost, Math.max(lakeEveryMs, tookMs / lakeShare));
  }

  async function readBusiness(
    { model, version, policy }: Rollout,
    incumbents: readonly string[],
    read: Read,
    now: number,
  ): Promise<void> {
    const names = policy.metrics.flatMap(({ metric }) => /^business:(.*)$/.exec(metric)?.[1] ?? []);
    if (names.length === 0 || now < read.businessAgainAt) return;
    const began = clock.now();
    const groups = await labels.metrics(model);
    // Of versions that nobody runs any more nothing follows for the one that is to be replaced.
    const replaced = (await db.versions.list(model)).filter(({ digest }) => incumbents.includes(digest));
    const isReplaced = (group: MetricGroup) => replaced.some((one) => one.version === group.version);
    read.business = new Map(
      names.map((name) => {
        const named = groups.filter((group) => group.name === name);
        const candidate = named.find((group) => group.version === version)?.mean ?? noMean;
        const incumbent = named
          .filter(isReplaced)
          .map(({ mean }) => mean)
          .reduce(addMeans, noMean);
        return [name, { candidate, incumbent }];
      }),
    );
    read.businessAgainAt = againAt(now, began);
  }

  return async (rollout, devices, now) => {
    const former = known.get(rollout.id);
    const read = former && former.at <= now ? former : nothingRead(rollout.createdAt);
    read.at = now;
    known.set(rollout.id, read);
    for (const [id, { at }] of known) if (at < now - forgetAfterMs) known.delete(id);
    const isLast = rollout.stage === rollout.policy.stages.length - 1 && rollout.stageSince !== null;
    if (isLast && !read.last) {
      // What came of it before a restart is read again.
      read.last = emptyTally(rollout.stageSince ?? now);
      read.after.clear();
      Object.assign(read.whole, emptyTally(read.whole.since));
    }
    const members = devices.filter(({ agent }) => rollout.members.has(agent));
    const incumbents = [...new Set(members.flatMap(({ incumbent }) => incumbent ?? []))];
    await readParcels(rollout, incumbents, read, now);
    const drift = driftOf(rollout, devices, await db.devices.list());
    await readBusiness(rollout, incumbents, read, now);
    const { business } = read;
    await Promise.all(talliesOf(read).map((tally) => readLabels(rollout, tally, now)));
    const agents = members.map(({ agent }) => agent);
    const heard = read.last && { told: read.last.told, labelled: read.last.labelled, now };
    const parts = heard ? partsOfJoined(rollout, devices, heard) : { pairs: 0, labels: 0 };
    const where = heard ? whereInLast(rollout, devices, heard) : undefined;
    const judged = (of: readonly string[]) => {
      const told = ({ pairs, labels }: Tally) =>
        of.flatMap((agent) => {
          const mine = { agent, pairs: pairs.get(agent), labels: labels.get(agent) ?? noEvidence.labels };
          return mine.pairs ? [{ ...mine, pairs: mine.pairs, joined: joinedInLast(rollout, agent) }] : [];
        });
      const whole: Evidence = { ...together(told(read.whole)), drift, business };
      const last: Evidence | null = read.last && { ...togetherInLast(told(read.last), parts), drift, business };
      return judgeStage(whole, last, rollout.policy, where);
    };
    const silent = heard ? stillToTell(rollout, devices, heard) : [];
    const verdict = namingTheOne(
      judged,
      agents.filter((agent) => read.whole.pairs.has(agent)),
    );
    return waitingFor(silent, verdict);
  };
}

/** A rollback that rests on one device says which: whoever is woken looks there first. */
function namingTheOne(judged: (of: readonly string[]) => RolloutVerdict, agents: readonly string[]): RolloutVerdict {
  const verdict = judged(agents);
  if (verdict.verdict !== "rollback" || agents.length < 3 || agents.length > mostTriedWithout) return verdict;
  const one = agents.find((agent) => judged(agents.filter((other) => other !== agent)).verdict !== "rollback");
  return one === undefined ? verdict : { ...verdict, why: `${verdict.why}; without ${one} it would go on` };
}

/** Who is quick to tell does not speak for those who count as well, and will tell soon. */
function waitingFor([first, ...others]: readonly string[], verdict: RolloutVerdict): RolloutVerdict {
  if (first === undefined || verdict.verdict !== "promote") return verdict;
  const who = `${first}${others.length === 0 ? "" : ` and ${others.length} more`}`;
  return {
    ...verdict,
    verdict: "undecided",
    why: `waits some minutes for what ${who} will tell; so far: ${verdict.why}`,
  };
}

function addParcel(tally: Tally, parcel: ShadowParcelRecord, { model, digest: candidate }: Rollout): void {
  const { agent, answering, counts, receivedAt, fromAt, toAt } = parcel;
  const answers = answering === candidate ? "candidate" : "incumbent";
  tally.pairs.set(agent, addPairs(tally.pairs.get(agent) ?? noPairs, counts, answers));
  if (counts.rows > 0) {
    const from = Math.max(fromAt, tally.since - deviceTimeMs);
    tally.told.set(agent, { from: Math.min(from, tally.told.get(agent)?.from ?? from), at: receivedAt });
  }
  tally.asked.add({ ...parcel, window: { from: fromAt, to: toAt } }, model);
}

function talliesOf({ whole, last }: Read): Tally[] {
  return last ? [whole, last] : [whole];
}

function nothingRead(since: number): Read {
  const business = { business: noEvidence.business, businessAgainAt: Number.NEGATIVE_INFINITY };
  return { at: 0, after: new Map(), whole: emptyTally(since), last: null, ...business };
}

function emptyTally(since: number): Tally {
  return {
    since,
    pairs: new Map(),
    told: new Map(),
    asked: askedOfBoth(),
    labels: new Map(),
    labelled: new Map(),
    labelsAgainAt: Number.NEGATIVE_INFINITY,
  };
}

interface Reporting {
  readonly agent: string;
  readonly report: { readonly slots: readonly ReportedSlot[] } | null;
}

function driftOf(rollout: Rollout, facts: readonly DeviceFacts[], devices: readonly Reporting[]): Evidence["drift"] {
  const incumbents = new Map(facts.map(({ agent, incumbent }) => [agent, incumbent]));
  const shares = { candidate: { devices: 0, critical: 0 }, incumbent: { devices: 0, critical: 0 } };
  for (const { agent, report } of devices) {
    // Who was revoked is not in the fleet any more.
    if (!incumbents.has(agent)) continue;
    const slot = report?.slots.find(({ model }) => model === rollout.model);
    const verdict = slot?.driftVerdict?.verdict;
    if (!slot?.serving || verdict === undefined || verdict === "insufficient") continue;
    const { digest } = slot.serving;
    const of = digest === rollout.digest ? "candidate" : digest === incumbents.get(agent) ? "incumbent" : null;
    if (of === null) continue;
    shares[of].devices++;
    if (verdict === "critical") shares[of].critical++;
  }
  return shares;
}
