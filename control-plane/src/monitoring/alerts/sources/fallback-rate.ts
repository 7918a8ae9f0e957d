/**
 * Models whose answers come from the fallback too often, over the last quarter of an hour: what devices counted between one
 * report and the next. Their counters begin anew with each start of the agent.
 */
import type { Device } from "@vedette/protocol/api";
import type { Clock } from "../../../ports.ts";
import type { AlertSource } from "../watch-sources.ts";

const windowMs = 15 * 60_000;
/** Fewer answers than this say nothing. */
const fewest = 50;
const warnFrom = 0.2;
const pageFrom = 0.5;

interface Sample {
  readonly at: number;
  readonly model: string;
  /** Answers since the sample before. */
  readonly answers: number;
  readonly fallbacks: number;
}

export function fallbackRate(ports: { listDevices: () => Promise<Device[]>; clock: Clock }): AlertSource {
  const { listDevices, clock } = ports;
  /** What each device counted for each model when last looked. */
  let before = new Map<string, { answers: number; fallbacks: number }>();
  let samples: Sample[] = [];
  let looked = false;

  return {
    names: ["VedetteFallbackRate"],
    async look(firing) {
      const at = clock.now();
      const now = new Map<string, { answers: number; fallbacks: number }>();
      for (const { agent, reported, revoked } of await listDevices()) {
        if (revoked) continue;
        for (const { model, sources } of reported?.slots ?? []) {
          const answers = Object.values(sources).reduce((sum, count) => sum + count, 0);
          const count = { answers, fallbacks: answers - (sources.model ?? 0) };
          now.set(`${agent}/${model}`, count);
          const last = before.get(`${agent}/${model}`);
          // What was counted before the first look is of no known time.
          const from = last
            ? answers >= last.answers
              ? last
              : { answers: 0, fallbacks: 0 }
            : looked
              ? { answers: 0, fallbacks: 0 }
              : count;
          if (answers > from.answers)
            samples.push({
              at,
              model,
              answers: answers - from.answers,
              fallbacks: Math.max(0, count.fallbacks - from.fallbacks),
            });
        }
      }
      before = now;
      looked = true;
      samples = samples.filter((sample) => at - sample.at < windowMs);
      const models = [...Map.groupBy(samples, ({ model }) => model)].map(([model, of]) => {
        const sum = (name: "answers" | "fallbacks") => of.reduce((total, sample) => total + sample[name], 0);
        return { model, answers: sum("answers"), share: sum("fallbacks") / sum("answers") };
      });
      const judged = models.filter(({ answers }) => answers >= fewest);
      const known = new Set(judged.map(({ model }) => keyOf(model)));
      return {
        wrong: judged
          .filter(({ share }) => share >= warnFrom)
          .map(({ model, share }) => ({
            name: "VedetteFallbackRate" as const,
            severity: share >= pageFrom ? ("critical" as const) : ("warning" as const),
            labels: { model },
            annotations: {
              summary: `Answers of ${model} come from its fallback`,
              description: `At least ${share >= pageFrom ? pageFrom * 100 : warnFrom * 100} % of the answers of the last ${windowMs / 60_000} minutes are from cache, rule or none.`,
            },
            key: keyOf(model),
          })),
        // With too few answers nothing shows that it is over.
        unsure: new Set([...firing].filter((key) => !known.has(key))),
      };
    },
  };
}

const keyOf = (model: string) => `fallback-rate/${model}`;
