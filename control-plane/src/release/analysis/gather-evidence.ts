/**
 * Reads what a rollout is judged by: the parcels that its members sent, labels that came since, what devices say of drift, and
 * business metrics. `compose.ts` hands the judge that is made here to the engine (release/rollouts).
 */
import type { ReportedSlot } from "@vedette/protocol/messages";
import type { ShadowParcel } from "@vedette/protocol/shadow";
import type { Database } from "../../db/database.ts";
import type { Rollout } from "../../db/rollout-records.ts";
import { addMeans, noMean } from "../../monitoring/performance/mean-sequence.ts";
import type { Labels } from "../../ports.ts";
import type { DeviceFacts, Judge } from "../rollouts/world.ts";
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

/** What came since one moment. */
interface Tally {
  /** UTC ms, of the parcels' arrival. */
  readonly since: number;
  pairs: PairedEvidence;
  /** Prediction id → what the version beside the answering one said. */
  readonly disagreements: Map<string, string | number>;
  /** By device and answering version: rows asked of both, and of the answering one alone. */
  readonly asked: Map<string, { rows: number; skipped: number }>;
  labels: PairedLabels;
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

export function createEvidenceJudge(ports: { db: Database; labels: Pick<Labels, "pairs" | "metrics"> }): Judge {
  const { db, labels } = ports;
  const known = new Map<number, Read>();

  async function readParcels(rollout: Rollout, incumbents: readonly string[], read: Read, now: number): Promise<void> {
    const { model, digest: candidate, members } = rollout;
    for (const incumbent of incumbents) {
      for (;;) {
        const after = read.after.get(incumbent) ?? 0;
        const parcels = await db.shadows.between(model, [candidate, incumbent], after, atOnce);
        for (const parcel of parcels) {
          if (parcel.receivedAt > now) return;
          read.after.set(incumbent, parcel.id);
          if (!members.has(parcel.agent)) continue;
          for (const tally of talliesOf(read))
            if (parcel.receivedAt >= tally.since) take(parcel, candidate, model, tally);
        }
        if (parcels.length < atOnce) break;
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
    let [n, onlyCandidateRight, onlyIncumbentRight] = [0, 0, 0];
    for (const { agent, digest, labelled, onlyAnsweringRight, onlyBesideRight } of found) {
      const { rows = 0, skipped = 0 } = tally.asked.get(`${agent} ${digest}`) ?? {};
      if (rows === 0) continue;
      const candidateAnswers = digest === rollout.digest;
      // Which of the labelled rows were asked of both is known of disagreements only: of the rest, their share.
      n += Math.max(onlyAnsweringRight + onlyBesideRight, Math.round((labelled * rows) / (rows + skipped)));
      onlyCandidateRight += candidateAnswers ? onlyAnsweringRight : onlyBesideRight;
      onlyIncumbentRight += candidateAnswers ? onlyBesideRight : onlyAnsweringRight;
    }
    tally.labels = { n, onlyCandidateRight, onlyIncumbentRight };
  }

  async function readBusiness({ model, version, policy }: Rollout): Promise<Evidence["business"]> {
    const names = policy.metrics.flatMap(({ metric }) => /^business:(.*)$/.exec(metric)?.[1] ?? []);
    if (names.length === 0) return noEvidence.business;
    const groups = await labels.metrics(model);
    return new Map(
      names.map((name) => {
        const named = groups.filter((group) => group.name === name && group.version !== null);
        const candidate = named.find((group) => group.version === version)?.mean ?? noMean;
        const others = named.filter((group) => group.version !== version).map(({ mean }) => mean);
        return [name, { candidate, incumbent: others.reduce(addMeans, noMean) }];
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
    const business = await readBusiness(rollout);
    const [whole, last = null] = await Promise.all(
      talliesOf(read).map(async (tally): Promise<Evidence> => {
        await readLabels(rollout, tally, now);
        return { pairs: tally.pairs, labels: tally.labels, drift, business };
      }),
    );
    return judgeStage(whole ?? noEvidence, last, rollout.policy);
  };
}

function talliesOf({ whole, last }: Read): Tally[] {
  return last ? [whole, last] : [whole];
}

function nothingRead(since: number): Read {
  return { at: 0, after: new Map(), whole: emptyTally(since), last: null };
}

function emptyTally(since: number): Tally {
  const { labels } = noEvidence;
  return {
    since,
    pairs: noPairs,
    disagreements: new Map(),
    asked: new Map(),
    labels,
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
  tally.pairs = addPairs(tally.pairs, counts, answering === candidate ? "candidate" : "incumbent");
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
