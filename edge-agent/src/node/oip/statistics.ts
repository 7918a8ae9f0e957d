/** Statistics of models in Triton's shape (its statistics extension): counts, and nanoseconds. */
import type { ModelMeasures, ServedModel } from "../../core/agent.ts";
import type { Desks } from "./infer.ts";
import { createInferStats } from "./infer-stats.ts";

const ns = (ms: number): number => Math.round(ms * 1e6);

/** Of the versions that serve; what was counted of earlier ones is in the metrics. */
export function statisticsOf(models: readonly ServedModel[], desks: Desks, measures: readonly ModelMeasures[]) {
  return {
    model_stats: models.map(({ name, version }) => {
      const stats = desks.stats.get(name)?.get(version?.release ?? null) ?? createInferStats();
      const counters = measures.find((model) => model.name === name)?.counters;
      const runs = counters?.runs ?? { runs: 0, rows: 0, queueMs: 0, inputMs: 0, inferMs: 0, outputMs: 0 };
      const failed = Object.values(stats.failures).reduce((sum, count) => sum + count, 0);
      return {
        name,
        version: version ? String(version.release) : "",
        last_inference: stats.lastInference,
        inference_count: runs.rows,
        execution_count: runs.runs,
        inference_stats: {
          success: { count: stats.success, ns: ns(stats.successMs) },
          fail: { count: failed, ns: ns(stats.failureMs) },
          queue: { count: stats.success, ns: ns(runs.queueMs) },
          compute_input: { count: runs.runs, ns: ns(runs.inputMs) },
          compute_infer: { count: runs.runs, ns: ns(runs.inferMs) },
          compute_output: { count: runs.runs, ns: ns(runs.outputMs) },
          cache_hit: { count: counters?.cacheHits ?? 0, ns: 0 },
          cache_miss: { count: counters?.cacheMisses ?? 0, ns: 0 },
        },
        batch_stats: [],
      };
    }),
  };
}
