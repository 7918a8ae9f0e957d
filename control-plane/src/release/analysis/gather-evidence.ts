/**
 * Reads what a rollout is judged by: the parcels that its members sent, labels that came since, what devices say of drift, and
 * business metrics. `compose.ts` hands the judge that is made here to the engine (release/rollouts).
 */
import type { ReportedSlot } from "@vedette/protocol/messages";
import type { Database } from "../../db/database.ts";
import type { Rollout } from "../../db/rollout-records.ts";
import type { MeanState } from "../../monitoring/performance/mean-sequence.ts";
import { noMean } from "../../monitoring/performance/mean-sequence.ts";
import type { MetricGroup } from "../../monitoring/performance/measured.ts";
import type { Labels } from "../../ports.ts";
import type { DeviceFacts, Judge } from "../rollouts/world.ts";
import { type Evidence, noEvidence } from "./evidence.ts";
import { judgeStage } from "./judge-evidence.ts";
import { addParcel, emptyTally, type Tally } from "./tally.ts";

const atOnce = 500;
/** Joining labels reads the lake: not at every look. ms. */
const labelsEveryMs = 30_000;
/** What was read of a rollout that nobody asks of any more. ms. */
const forgetAfterMs = 3_600_000;

/** What was read of one rollout so far, so that each look reads what is new. */
interface Read {
  /** UTC ms of the last look. */
  at: number;
  /** By incumbent: the last parcel added. */
  readonly after: Map<string, number>;
  readonly whole: Tally;
  /** Of the last stage, once it is under way. */
  readonly last: Tally | null;
}

/**
 * A judge of its own memory: its looks at one rollout come one after the other, and are of one line of its history. A replay
 * asks another one.
 */
export function createEvidenceJudge(ports: { db: Database; labels: Pick<Labels, "pairs" | "metrics"> }): Judge {
  const { db, labels } = ports;
  const known = new Map<number, Read>();

  /** Parcels of the candidate and one of its incumbents, until now. */
  async function readParcels(rollout: Rollout, incumbent: string, read: Read, now: number): Promise<void> {
    const { model, digest: candidate, members } = rollout;
    for (;;) {
      const after = read.after.get(incumbent) ?? 0;
      const parcels = await db.shadows.between(model, [candidate, incumbent], after, atOnce);
      for (const parcel of parcels) {
        if (parcel.receivedAt > now) return;
        read.after.set(incumbent, parcel.id);
        if (!members.has(parcel.agent)) continue;
        for (const tally of talliesOf(read)) {
          if (parcel.receivedAt >= tally.since) addParcel(tally, parcel, candidate);
        }
      }
      if (parcels.length < atOnce) return;
    }
  }

  async function readLabels(rollout: Rollout, tally: Tally, now: number): Promise<void> {
    const wanted = rollout.policy.metrics.some(({ metric }) => metric === "accuracy");
    if (!wanted || tally.asked.size === 0 || now - tally.labelsAt < labelsEveryMs) return;
    tally.labelsAt = now;
    const agents = [...tally.asked.keys()];
    const since = new Date(tally.since).toISOString();
    const found = await labels.pairs({ model: rollout.model, since, agents, disagreements: [...tally.disagreements] });
    let [n, onlyCandidateRight, onlyIncumbentRight] = [0, 0, 0];
    for (const { agent, digest, labelled, onlyAnsweringRight, onlyBesideRight } of found) {
      const { rows = 0, skipped = 0 } = tally.asked.get(agent)?.get(digest) ?? {};
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
        return [name, { candidate, incumbent: together(named.filter((group) => group.version !== version)) }];
      }),
    );
  }

  /** What was read of it before this look; nothing where it is to be read again. */
  function readSoFar({ id, stage, stageSince, policy, createdAt }: Rollout, now: number): Read {
    const lastSince = stage === policy.stages.length - 1 ? stageSince : null;
    const former = known.get(id);
    // Where the last stage begins, all is read again: what came at that very moment is of it, too.
    const goesOn = former && former.at <= now && (former.last?.since ?? null) === lastSince;
    const last = lastSince === null ? null : emptyTally(lastSince);
    const read = goesOn ? former : { at: now, after: new Map(), whole: emptyTally(createdAt), last };
    read.at = now;
    known.set(id, read);
    for (const [other, { at }] of known) if (at < now - forgetAfterMs) known.delete(other);
    return read;
  }

  return async (rollout, devices, now) => {
    const read = readSoFar(rollout, now);
    const members = devices.filter(({ agent }) => rollout.members.has(agent));
    const incumbents = [...new Set(members.flatMap(({ incumbent }) => incumbent ?? []))];
    for (const incumbent of incumbents) await readParcels(rollout, incumbent, read, now);
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
function together(groups: readonly MetricGroup[]): MeanState {
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
