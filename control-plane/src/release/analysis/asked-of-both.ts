/**
 * Which of a device's answers both versions were asked, as its parcels tell: how many, when, and which disagreements they list.
 * Labels are held against these answers only. `gather-evidence.ts` fills it. Pure.
 */
import type { ShadowParcel } from "@vedette/protocol/shadow";
import type { PairedTruth } from "../../measured.ts";
import { noEvidence, type PairedLabels } from "./evidence.ts";

/** Of the answers of one version on one device. */
interface Asked {
  readonly agent: string;
  /** Of the version that answered. */
  readonly digest: string;
  /** Rows asked of both, and of the answering one alone in the same spans. */
  rows: number;
  skipped: number;
  /** Disagreements that are known one by one, by prediction id what the other version said, and how many are only counted. */
  readonly listed: Map<string, string | number>;
  omitted: number;
  /** UTC ms, in their order. */
  spans: [from: number, to: number][];
}

type Parcel = Pick<ShadowParcel, "answering" | "counts" | "disagreements" | "omitted"> & {
  readonly agent: string;
  /** UTC ms. */
  readonly window: Pick<ShadowParcel["window"], "from" | "to">;
};

export interface AskedOfBoth {
  readonly any: boolean;
  /** @param model names the predictions' stream. */
  add(parcel: Parcel, model: string): void;
  spans(): [agent: string, digest: string, from: number, to: number][];
  /** Prediction id → what the version beside the answering one said. */
  disagreements(): [id: string, says: string | number][];
  /** By device. @param truths of the answers in `spans`. */
  labelsOf(truths: readonly PairedTruth[], candidate: string): Map<string, PairedLabels>;
}

/** Spans no farther apart are one: a device that answers sends a parcel a minute. ms. */
const apartMs = 60_000;
/** Of one version on one device; over it the oldest two are one. */
const mostSpans = 200;

/** @param most disagreements that are known one by one: over it the oldest of the device that lists most are counted only. */
export function askedOfBoth(most = 200_000): AskedOfBoth {
  const asked = new Map<string, Asked>();
  let listed = 0;

  /** A device that floods its list takes nothing from those of the others. */
  function makeRoom(): void {
    while (listed > most) {
      const longest = [...asked.values()].reduce((a, b) => (b.listed.size > a.listed.size ? b : a));
      // A tenth at once, so that it is not looked for at each parcel.
      const drop = Math.max(listed - most, Math.ceil(longest.listed.size / 10));
      for (const id of [...longest.listed.keys()].slice(0, drop)) {
        longest.listed.delete(id);
        longest.omitted++;
        listed--;
      }
    }
  }

  return {
    get any() {
      return asked.size > 0;
    },
    add({ agent, answering, counts, window, disagreements: told, omitted }, model) {
      const key = `${agent} ${answering}`;
      const none = { agent, digest: answering, rows: 0, skipped: 0, listed: new Map(), omitted: 0, spans: [] };
      const of: Asked = asked.get(key) ?? none;
      asked.set(key, of);
      of.rows += counts.rows;
      of.skipped += counts.skipped;
      of.omitted += omitted;
      of.spans = withSpan(of.spans, [window.from, window.to]);
      listed -= of.listed.size;
      for (const { id, says } of told) of.listed.set(`${agent}.${model}.${id}`, says);
      listed += of.listed.size;
      makeRoom();
    },
    spans: () =>
      [...asked.values()].flatMap(({ agent, digest, spans }) =>
        spans.map(([from, to]): [string, string, number, number] => [agent, digest, from, to]),
      ),
    disagreements: () => [...asked.values()].flatMap(({ listed }) => [...listed]),
    labelsOf(truths, candidate) {
      const sums = new Map<string, PairedLabels>();
      for (const { agent, digest, labelled, onlyAnsweringRight, onlyBesideRight } of truths) {
        const of = asked.get(`${agent} ${digest}`);
        if (!of || of.rows === 0) continue;
        const { n, onlyCandidateRight, onlyIncumbentRight } = sums.get(agent) ?? noEvidence.labels;
        sums.set(agent, {
          n: n + Math.max(onlyAnsweringRight + onlyBesideRight, labelledPairs(of, labelled)),
          onlyCandidateRight: onlyCandidateRight + (digest === candidate ? onlyAnsweringRight : onlyBesideRight),
          onlyIncumbentRight: onlyIncumbentRight + (digest === candidate ? onlyBesideRight : onlyAnsweringRight),
        });
      }
      return sums;
    },
  };
}

/**
 * Labelled rows that tell who was right. Which of the labelled rows were asked of both is known of listed disagreements only: of
 * the rest, the share that was asked. And where disagreements are not all listed, rows count in the share of those that
 * are: else what is not listed would pass for agreement.
 */
function labelledPairs({ rows, skipped, listed, omitted }: Asked, labelled: number): number {
  const known = listed.size + omitted === 0 ? 1 : listed.size / (listed.size + omitted);
  return Math.round(Math.min(rows, (labelled * rows) / (rows + skipped)) * known);
}

/** The spans with one more, in their order, those that touch made one. */
function withSpan(spans: Asked["spans"], added: [from: number, to: number]): Asked["spans"] {
  const joined: Asked["spans"] = [];
  for (const [from, to] of [...spans, added].toSorted(([a], [b]) => a - b)) {
    const last = joined.at(-1);
    if (last && from - last[1] <= apartMs) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  const [first, second, ...rest] = joined;
  if (joined.length <= mostSpans || !first || !second) return joined;
  return [[first[0], second[1]], ...rest];
}
