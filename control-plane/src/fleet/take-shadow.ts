/**
 * Takes what a device found where it asked two versions the same: refuses for good what cannot be true, stores the rest once,
 * and answers what the device is to know. Talks to the database; rollouts judge by what is stored.
 */
import { type Manifest, parseManifest } from "@vedette/protocol/bundle";
import type { AssignedSlot } from "@vedette/protocol/messages";
import type { LatencyCounts, PairSums, ShadowAck, ShadowParcel } from "@vedette/protocol/shadow";
import type { Database } from "../db/database.ts";
import type { Clock, Logger } from "../ports.ts";

export interface ShadowIntake {
  /** Notes what an assignment lets a device tell of; before it is sent. */
  sign(agent: string, slots: readonly AssignedSlot[]): Promise<void>;
  /**
   * Stores a parcel, or refuses it for good.
   * @throws whatever the database does: nothing is answered then, and the device tries again.
   */
  take(agent: string, parcel: ShadowParcel): Promise<ShadowAck>;
}

/** No device answers more rows a second than this, all the time since its pair was signed. */
const mostRowsASecond = 50_000;
/** Its first rows may come at once. */
const graceMs = 60_000;
/** Nor does it send a parcel more often than this; what it kept while it was away is few. ms. */
const leastBetweenMs = 2_000;
const graceParcels = 100;
/** Of sums in doubles. */
const rounding = 1e-6;

type Sent = Awaited<ReturnType<Database["shadows"]["sentOf"]>>;
/** Pairs of devices: some tens of MB. */
const mostRemembered = 100_000;

type Version = { readonly model: string; readonly output: Manifest["output"] };

export function createShadowIntake(ports: {
  db: Pick<Database, "shadows" | "versions">;
  clock: Clock;
  logger: Logger;
}): ShadowIntake {
  const { db, clock, logger } = ports;
  /** Versions never change. */
  const versions = new Map<string, Version>();

  /** By device and pair, what was taken of it: the database would add it up anew for each parcel. */
  const taken = new Map<string, Sent>();

  const sentOf = async (agent: string, parcel: ShadowParcel): Promise<{ key: string; sent: Sent }> => {
    const { model, answering, beside } = parcel;
    const key = [agent, model, answering, beside].join(" ");
    const sent = taken.get(key) ?? (await db.shadows.sentOf(agent, parcel));
    if (taken.size >= mostRemembered) taken.clear();
    taken.set(key, sent);
    return { key, sent };
  };

  const versionOf = async (digest: string): Promise<Version | undefined> => {
    const known = versions.get(digest);
    if (known) return known;
    const text = await db.versions.manifest(digest);
    if (text === undefined) return undefined;
    const { model, output } = parseManifest(text);
    versions.set(digest, { model, output });
    return versions.get(digest);
  };

  /** Why a parcel cannot be true; null where it may be. */
  const wrong = async (agent: string, parcel: ShadowParcel): Promise<string | null> => {
    const { model, answering, beside, counts } = parcel;
    const signedAt = await db.shadows.signedAt(agent, parcel);
    if (signedAt === undefined) return `${beside} was never assigned to ${agent} beside ${answering}, of ${model}`;
    const [one, other] = [await versionOf(answering), await versionOf(beside)];
    if (one?.model !== model || other?.model !== model) return `these are no two versions of ${model}`;
    const contradiction = wrongParcel(parcel, one.output, other.output);
    if (contradiction !== null) return contradiction;
    const { sent } = await sentOf(agent, parcel);
    const passed = Math.max(0, clock.now() - signedAt);
    const rows = counts.rows + sent.rows;
    if (rows > (mostRowsASecond * (passed + graceMs)) / 1000)
      return `${rows} rows since the pair was assigned are more than a device answers`;
    if (sent.parcels >= graceParcels + passed / leastBetweenMs)
      return `${sent.parcels + 1} parcels since the pair was assigned are more than a device sends`;
    return null;
  };

  return {
    async sign(agent, slots) {
      const pairs = slots.flatMap(({ model, digest, beside }) =>
        beside ? [{ model, answering: digest, beside: beside.digest }] : [],
      );
      if (pairs.length > 0) await db.shadows.sign(agent, pairs, clock.now());
    },
    async take(agent, parcel) {
      const { model, answering, beside, window, counts, disagreements, omitted } = parcel;
      const { epoch, n, from, to } = window;
      const refused = await wrong(agent, parcel);
      if (refused !== null) {
        logger.warn("shadow.parcel_refused", { agent, model, n, why: refused });
        return { epoch, n, refused: refused.slice(0, 500) };
      }
      const isNew = await db.shadows.add({
        ...{ agent, model, answering, beside, epoch, n },
        fromAt: from,
        toAt: to,
        rows: counts.rows,
        counts,
        disagreements,
        omitted,
        receivedAt: clock.now(),
      });
      if (isNew) {
        const { key, sent } = await sentOf(agent, parcel);
        taken.set(key, { rows: sent.rows + counts.rows, parcels: sent.parcels + 1 });
      }
      logger.debug("shadow.parcel", { agent, model, n, rows: counts.rows, isNew });
      return { epoch, n };
    },
  };
}

/** Why a parcel contradicts itself, or the versions' outputs; null where it does not. Pure. */
export function wrongParcel(
  { window, counts, disagreements, omitted }: ShadowParcel,
  answering: Manifest["output"],
  beside: Manifest["output"],
): string | null {
  const { rows, skipped, fit, agreed, table, value, confidence, latency } = counts;
  const [both] = fit;
  if (rows + skipped === 0) return "it tells of no row";
  if (!(window.from <= window.to)) return "it ends before it begins";
  if (fit[0] + fit[1] + fit[2] + fit[3] !== rows) return `${fit.join(" + ")} rows are not ${rows}`;
  if (agreed > both) return `${agreed} rows agree of ${both} where both stand`;
  if (disagreements.length + omitted !== both - agreed) {
    return `${disagreements.length} disagreements and ${omitted} omitted are not ${both - agreed}`;
  }
  if (new Set(disagreements.map(({ id }) => id)).size !== disagreements.length) return "a prediction disagrees twice";
  if (runsOf(latency.answering) > rows || runsOf(latency.beside) > rows) return "there are more runs than rows";
  if (answering.task !== beside.task) return `a ${answering.task} is not asked beside a ${beside.task}`;
  if (answering.task === "classification" && beside.task === "classification") {
    return wrongClasses(counts, disagreements, answering.classes, beside.classes);
  }
  if (table.length > 0 || confidence !== null) return `a ${answering.task} has neither classes nor confidences`;
  if (answering.task === "tensor")
    return value === null && disagreements.length === 0 ? null : "raw outputs have no value";
  if (disagreements.some(({ says }) => typeof says !== "number")) return "a regression says numbers";
  return wrongSums("values", value, both, Number.POSITIVE_INFINITY);
}

function wrongClasses(
  { fit, agreed, table, value, confidence }: ShadowParcel["counts"],
  disagreements: ShadowParcel["disagreements"],
  one: readonly string[],
  other: readonly string[],
): string | null {
  const [both] = fit;
  if (value !== null) return "a classification has no values";
  if (table.some(([a, b]) => a >= one.length || b >= other.length)) return "the table names classes that there are not";
  if (new Set(table.map(([a, b]) => `${a} ${b}`)).size !== table.length) return "a cell of the table stands twice";
  const inTable = table.reduce((sum, [, , n]) => sum + n, 0);
  if (inTable !== both) return `the table holds ${inTable} rows of ${both}`;
  const same = table.reduce((sum, [a, b, n]) => sum + (one[a] === other[b] ? n : 0), 0);
  if (same !== agreed) return `${same} rows agree by the table, and it says ${agreed}`;
  const names = new Set(other.map((name) => name.slice(0, 256)));
  const strange = disagreements.find(({ says }) => typeof says !== "string" || !names.has(says));
  if (strange) return `${strange.says} is none of the classes`;
  return wrongSums("confidences", confidence, both, 1);
}

/** @param most size of one difference. */
function wrongSums(what: string, sums: PairSums | null, n: number, most: number): string | null {
  if (sums?.n !== n) return `the ${what} are of ${sums?.n ?? 0} rows, and ${n} stand`;
  const slack = 1 + rounding;
  // Cauchy and Schwarz.
  const mean = sums.sum / Math.max(1, n);
  if (mean * mean > (sums.sumSquares / Math.max(1, n)) * slack + Number.MIN_VALUE)
    return `the sums of ${what} contradict each other`;
  if (Math.abs(sums.sum) > n * most * slack || sums.sumSquares > n * most * most * slack) {
    return `the ${what} differ by more than they can`;
  }
  return null;
}

function runsOf(counts: LatencyCounts): number {
  return counts.reduce((sum, [, n]) => sum + n, 0);
}
