/**
 * Models that got worse, whether or not anything drifted: what labels say of each version that should answer. A drop of today is
 * found by today's labels, a slow one, or one whose labels come late, over a week or a month; what was before speaks for how it was.
 */
import type { Device } from "@vedette/protocol/api";
import { codeOf } from "@vedette/protocol/errors";
import type { Harm } from "@vedette/protocol/labels-api";
import type { Watch } from "@vedette/protocol/watch-api";
import type { Clock, HarmOracle } from "../../../ports.ts";
import type { Raise } from "../alerts.ts";
import type { AlertSource } from "../watch-sources.ts";

const dayMs = 86_400_000;
/**
 * Whole days of UTC before this one, so that a question stays the same for a day, and its error holds however often it is asked.
 * Yesterday's is there so that midnight does not end an alert.
 */
const lookbackDays = [0, 1, 7, 30] as const;
/** Of a wrong alert, a day and version, all questions together. */
const alpha = 0.01;
/** Labels are joined anew for each question: not at every look. */
const askEveryMs = 5 * 60_000;

interface Subject {
  readonly model: string;
  /** Null: what is served elsewhere has no version of ours. */
  readonly version: number | null;
}

export function droppedPerformance(ports: {
  listDevices: () => Promise<Device[]>;
  listWatches: () => Promise<Watch[]>;
  harmOf: HarmOracle["harmOf"];
  clock: Clock;
}): AlertSource {
  const { listDevices, listWatches, harmOf, clock } = ports;
  let known: { readonly at: number; readonly wrong: readonly Raise[] } | undefined;

  async function judge(subject: Subject, now: number): Promise<Raise | undefined> {
    for (const days of lookbackDays) {
      const since = new Date(Math.floor(now / dayMs - days) * dayMs).toISOString();
      const harm = await ask(subject, since);
      if (harm?.verdict === "harmful") return alertOf(subject, harm);
    }
    return undefined;
  }

  async function ask({ model, version }: Subject, since: string): Promise<Harm | undefined> {
    try {
      return await harmOf({ model, ...(version !== null && { version }), since, alpha: alpha / lookbackDays.length });
    } catch (error) {
      // Nothing is stored of it yet.
      if (codeOf(error) === "not_found") return undefined;
      throw error;
    }
  }

  return {
    names: ["VedettePerformanceDropped"],
    async look() {
      const now = clock.now();
      if (!known || now - known.at >= askEveryMs) {
        const wrong: Raise[] = [];
        for (const subject of subjectsOf(await listDevices(), await listWatches())) {
          const raise = await judge(subject, now);
          if (raise) wrong.push(raise);
        }
        known = { at: now, wrong };
      }
      return { wrong: known.wrong };
    },
  };
}

/** What should answer now: a version that was taken back is nobody's worry any more. */
function subjectsOf(devices: readonly Device[], watches: readonly Watch[]): Subject[] {
  const onDevices = devices.flatMap(({ revoked, assigned }) => (revoked ? [] : assigned));
  const subjects: Subject[] = [...onDevices, ...watches].map(({ model, version }) => ({ model, version }));
  return [...new Map(subjects.map((subject) => [keyOf(subject), subject])).values()];
}

/**
 * Against labels from before it is certain, and somebody is woken. Against the data that it was trained on it may also be that it
 * never was as good in the field as it was there.
 */
function alertOf(subject: Subject, { before, since, why }: Harm): Raise {
  const { model, version } = subject;
  const trained = before?.from === "training_data";
  return {
    name: "VedettePerformanceDropped",
    severity: trained ? "warning" : "critical",
    labels: { model, ...(version !== null && { version: String(version) }) },
    annotations: {
      summary: trained ? `${model} is worse than on its training data` : `${model} got worse`,
      description: `Labels of answers since ${since}: ${why}.`,
    },
    key: keyOf(subject),
  };
}

const keyOf = ({ model, version }: Subject) => `performance-dropped/${model}/${version ?? "elsewhere"}`;
