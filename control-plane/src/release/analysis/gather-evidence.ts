/**
 * Reads what a rollout is judged by: the parcels that its members sent, labels that came since, what devices say of drift, and
 * business metrics. `compose.ts` hands the judge that is made here to the engine (release/rollouts).
 */
import { setImmediate } from "node:timers/promises";
import type { ReportedSlot } from "@vedette/protocol/messages";
import type { RolloutVerdict } from "@vedette/protocol/rollout";
import type { ShadowParcel } from "@vedette/protocol/shadow";
import type { Database } from "../../db/database.ts";
import type { Rollout } from "../../db/rollout-records.ts";
import type { MeanState } from "../../monitoring/performance/mean-sequence.ts";
import { noMean } from "../../monitoring/performance/mean-sequence.ts";
import type { MetricGroup } from "../../monitoring/performance/measured.ts";
import type { Labels } from "../../ports.ts";
import type { DeviceFacts, Judge } from "../rollouts/world.ts";
import { together } from "./even-shares.ts";
import { type Evidence, noEvidence, type PairedLabels } from "./evidence.ts";
import { judgeStage } from "./judge-evidence.ts";
import { addPairs, noPairs, type PairedEvidence } from "./paired-evidence.ts";

const atOnce = 500;
/** Joining labels reads the lake: not at every look. ms. */
const labelsEveryMs = 30_000;
/** What was read of a rollout that nobody asks of any more. ms. */
const forgetAfterMs = 3_600_000;
/** Disagreements whose labels are looked for; the newest count. */
const mostDisagreements = 200_000;

/** Devices of which each is left out once to see whether it alone makes the verdict; in larger fleets none can. */
const mostTriedWithout = 100;

/** What came since one moment. */
interface Tally {
  /** UTC ms, of the parcels' arrival. */
  readonly since: number;
  /** By device, members or not yet. */
  readonly pairs: Map<string, PairedEvidence>;
  /** Prediction id → what the version beside the answering one said. */
  readonly disagreements: Map<string, string | number>;
  /** By device and answering version: rows asked of both, and of the answering one alone. */
  readonly asked: Map<string, { rows: number; skipped: number }>;
  /** By device. */
  labels: ReadonlyMap<string, PairedLabels>;
  labelsAt: number;
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
}

/** @param ports.of `past` reads what had come until the moment that it is asked of; `now` all there is, whatever clocks said. */
export function createEvidenceJudge(ports: {
  db: Database;
  labels: Pick<Labels, "pairs" | "metrics">;
  of?: "now" | "past";
}): Judge {
  const { db, labels, of = "now" } = ports;
  const known = new Map<number, Read>();

  async function readParcels(rollout: Rollout, incumbents: readonly string[], read: Read, now: number): Promise<void> {
    const { model, digest: candidate } = rollout;
    for (const incumbent of incumbents) {
      for (;;) {
        const after = read.after.get(incumbent) ?? 0;
        const parcels = await db.shadows.between(model, [candidate, incumbent], after, atOnce);
        for (const parcel of parcels) {
          if (of === "past" && parcel.receivedAt > now) return;
          read.after.set(incumbent, parcel.id);
          for (const tally of talliesOf(read))
            if (parcel.receivedAt >= tally.since) take(parcel, candidate, model, tally);
        }
        if (parcels.length < atOnce) break;
        // Weeks of a fleet are millions: others have their turn in between.
        await setImmediate();
      }
    }
  }

  async function readLabels(rollout: Rollout, tally: Tally, now: number): Promise<void> {
    const wanted = rollout.policy.metrics.some(({ metric }) => metric === "accuracy");
    if (!wanted || tally.asked.size === 0 || now - tally.labelsAt < labelsEveryMs) return;
    tally.labelsAt = now;
    const agents = [...new Set([...tally.asked.keys()].map((key) => key.split(" ")[0] as string))];
    const since = new Date(tally.since).toISOString();
    const found = await labels.pairs({ model: rollout.model, since, agents, disagreements: [...tally.disagreements] });
    const sums = new Map<string, PairedLabels>();
    for (const { agent, digest, labelled, onlyAnsweringRight, onlyBesideRight } of found) {
      const { rows = 0, skipped = 0 } = tally.asked.get(`${agent} ${digest}`) ?? {};
      if (rows === 0) continue;
      const candidateAnswers = digest === rollout.digest;
      // Which of the labelled rows were asked of both is known of disagreements only: of the rest, their share.
      const n = Math.max(onlyAnsweringRight + onlyBesideRight, Math.round((labelled * rows) / (rows + skipped)));
      const sum = sums.get(agent) ?? noEvidence.labels;
      sums.set(agent, {
        n: sum.n + n,
        onlyCandidateRight: sum.onlyCandidateRight + (candidateAnswers ? onlyAnsweringRight : onlyBesideRight),
        onlyIncumbentRight: sum.onlyIncumbentRight + (candidateAnswers ? onlyBesideRight : onlyAnsweringRight),
      });
    }
    tally.labels = sums;
  }

  async function readBusiness(
    { model, version, policy }: Rollout,
    incumbents: readonly string[],
  ): Promise<Evidence["business"]> {
    const names = policy.metrics.flatMap(({ metric }) => /^business:(.*)$/.exec(metric)?.[1] ?? []);
    if (names.length === 0) return noEvidence.business;
    const groups = await labels.metrics(model);
    // Of versions that nobody runs any more nothing follows for the one that is to be replaced.
    const replaced = (await db.versions.list(model)).filter(({ digest }) => incumbents.includes(digest));
    const isReplaced = (group: MetricGroup) => replaced.some((one) => one.version === group.version);
    return new Map(
      names.map((name) => {
        const named = groups.filter((group) => group.name === name);
        const candidate = named.find((group) => group.version === version)?.mean ?? noMean;
        return [name, { candidate, incumbent: meanOf(named.filter(isReplaced)) }];
      }),
    );
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
    const business = await readBusiness(rollout, incumbents);
    await Promise.all(talliesOf(read).map((tally) => readLabels(rollout, tally, now)));
    const agents = members.map(({ agent }) => agent);
    const judged = (of: readonly string[]) => {
      const [whole, last = null] = talliesOf(read).map((tally): Evidence => {
        const told = of.flatMap((agent) => {
          const pairs = tally.pairs.get(agent);
          return pairs ? [{ pairs, labels: tally.labels.get(agent) ?? noEvidence.labels }] : [];
        });
        return { ...together(told), drift, business };
      });
      return judgeStage(whole ?? noEvidence, last, rollout.policy);
    };
    return namingTheOne(
      judged,
      agents.filter((agent) => read.whole.pairs.has(agent)),
    );
  };
}

/** A rollback that rests on one device says which: whoever is woken looks there first. */
function namingTheOne(judged: (of: readonly string[]) => RolloutVerdict, agents: readonly string[]): RolloutVerdict {
  const verdict = judged(agents);
  if (verdict.verdict !== "rollback" || agents.length < 3 || agents.length > mostTriedWithout) return verdict;
  const one = agents.find((agent) => judged(agents.filter((other) => other !== agent)).verdict !== "rollback");
  return one === undefined ? verdict : { ...verdict, why: `${verdict.why}; without ${one} it would go on` };
}

function talliesOf({ whole, last }: Read): Tally[] {
  return last ? [whole, last] : [whole];
}

function nothingRead(since: number): Read {
  return { at: 0, after: new Map(), whole: emptyTally(since), last: null };
}

function emptyTally(since: number): Tally {
  return {
    since,
    pairs: new Map(),
    disagreements: new Map(),
    asked: new Map(),
    labels: new Map(),
    labelsAt: Number.NEGATIVE_INFINITY,
  };
}

type Parcel = Pick<ShadowParcel, "answering" | "counts" | "disagreements"> & { readonly agent: string };

function take(
  { agent, answering, counts, disagreements }: Parcel,
  candidate: string,
  model: string,
  tally: Tally,
): void {
  const before = tally.pairs.get(agent) ?? noPairs;
  tally.pairs.set(agent, addPairs(before, counts, answering === candidate ? "candidate" : "incumbent"));
  const asked = tally.asked.get(`${agent} ${answering}`) ?? { rows: 0, skipped: 0 };
  asked.rows += counts.rows;
  asked.skipped += counts.skipped;
  tally.asked.set(`${agent} ${answering}`, asked);
  for (const { id, says } of disagreements) tally.disagreements.set(`${agent}.${model}.${id}`, says);
  for (const id of tally.disagreements.keys()) {
    if (tally.disagreements.size <= mostDisagreements) break;
    tally.disagreements.delete(id);
  }
}

interface Reporting {
  readonly agent: string;
  readonly report: { readonly slots: readonly ReportedSlot[] } | null;
}

function driftOf(rollout: Rollout, facts: readonly DeviceFacts[], devices: readonly Reporting[]): Evidence["drift"] {
  const incumbents = new Map(facts.map(({ agent, incumbent }) => [agent, incumbent]));
  const shares = { candidate: { devices: 0, critical: 0 }, incumbent: { devices: 0, critical: 0 } };
  for (const { agent, report } of devices) {
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

/** Chan, Golub & LeVeque (1979): sums of squares of parts, about the mean of all. */
function meanOf(groups: readonly MetricGroup[]): MeanState {
  return groups.reduce<MeanState>((a, { mean: b }) => {
    const n = a.n + b.n;
    if (n === 0) return a;
    const apart = b.mean - a.mean;
    return {
      n,
      mean: a.mean + (apart * b.n) / n,
      squares: a.squares + b.squares + (apart * apart * a.n * b.n) / n,
    };
  }, noMean);
}
