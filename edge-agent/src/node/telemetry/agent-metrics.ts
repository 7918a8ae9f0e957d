/**
 * The agent's GET /metrics: Triton's names, so that its dashboards work, and our own in base units. Collected when asked,
 * from what the slots, the log, the transport and the HTTP server count anyway.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createMetricsWriter, type MetricLabels } from "@vedette/protocol/prometheus-text";
import type { Agent, AgentMeasures, ModelMeasures } from "../../core/agent.ts";
import type { Desks } from "../oip/infer.ts";
import { failureReasons, type InferStats } from "../oip/infer-stats.ts";

type Samples = [MetricLabels, number][];
const micros = (ms: number): number => Math.round(ms * 1000);

export interface AgentMetrics {
  text(): string;
  /** Stops measuring the event loop. */
  close(): void;
}

export function agentMetrics(options: {
  agent: Pick<Agent, "id">;
  desks: Pick<Desks, "stats">;
  measures: () => AgentMeasures;
}): AgentMetrics {
  const { agent, desks, measures } = options;
  // Sampled by a timer of libuv's own every 20 ms: no request pays for it.
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();

  return {
    text() {
      const write = createMetricsWriter();
      const { connected, bytes, models } = measures();
      tritonFamilies(write, desks, models);
      modelFamilies(write, models);
      const { family, single } = write;
      family("vedette_agent_info", "gauge", "Always 1; which device this is", [[{ agent: agent.id }, 1]]);
      single("vedette_connected", "gauge", "Whether the control plane's broker is connected", Number(connected));
      single("vedette_network_sent_bytes_total", "counter", "Bytes sent to the control plane", bytes.sent);
      single(
        "vedette_network_received_bytes_total",
        "counter",
        "Bytes received from the control plane",
        bytes.received,
      );
      single("process_resident_memory_bytes", "gauge", "Resident memory of this process", process.memoryUsage.rss());
      const { user, system } = process.cpuUsage();
      single("process_cpu_seconds_total", "counter", "CPU time of this process", (user + system) / 1e6);
      single("vedette_uptime_seconds", "gauge", "Since this process began", process.uptime());
      const seconds = (nanos: number): number => (Number.isFinite(nanos) ? nanos / 1e9 : 0);
      family("vedette_event_loop_delay_seconds", "gauge", "Delay of the event loop since the last scrape", [
        [{ quantile: "0.5" }, seconds(delay.percentile(50))],
        [{ quantile: "0.99" }, seconds(delay.percentile(99))],
        [{ quantile: "1" }, seconds(delay.max)],
      ]);
      delay.reset();
      return write.text();
    },
    close: () => void delay.disable(),
  };
}

/** Counted by version while this process runs; those of runs for the version that serves. */
function tritonFamilies(
  { family }: ReturnType<typeof createMetricsWriter>,
  desks: Pick<Desks, "stats">,
  models: readonly ModelMeasures[],
): void {
  const counted: { labels: MetricLabels; stats: InferStats }[] = [];
  for (const [model, byRelease] of desks.stats) {
    for (const [release, stats] of byRelease)
      counted.push({ labels: { model, version: String(release ?? "") }, stats });
  }
  family(
    "nv_inference_request_success",
    "counter",
    "Infer requests answered",
    counted.map(({ labels, stats }) => [labels, stats.success] as const),
  );
  family(
    "nv_inference_request_failure",
    "counter",
    "Infer requests not answered, by reason",
    counted.flatMap(({ labels, stats }) =>
      failureReasons.map((reason) => [{ ...labels, reason }, stats.failures[reason]] as const),
    ),
  );
  family(
    "nv_inference_request_duration_us",
    "counter",
    "Time from request to answer, added up",
    counted.map(({ labels, stats }) => [labels, micros(stats.successMs)] as const),
  );
  const ofRuns = (name: string, help: string, of: (runs: ModelMeasures["counters"]["runs"]) => number): void =>
    family(
      name,
      "counter",
      help,
      models
        .filter(({ release }) => release !== null)
        .map(({ name: model, release, counters }) => [{ model, version: String(release) }, of(counters.runs)] as const),
    );
  ofRuns("nv_inference_count", "Rows the model ran", ({ rows }) => rows);
  ofRuns("nv_inference_exec_count", "Runs of the model, several requests' rows in each", ({ runs }) => runs);
  ofRuns("nv_inference_queue_duration_us", "Time that requests waited for a run", ({ queueMs }) => micros(queueMs));
  ofRuns("nv_inference_compute_input_duration_us", "Time of making tensors", ({ inputMs }) => micros(inputMs));
  ofRuns("nv_inference_compute_infer_duration_us", "Time in the model", ({ inferMs }) => micros(inferMs));
  ofRuns("nv_inference_compute_output_duration_us", "Time of reading outputs", ({ outputMs }) => micros(outputMs));
  const ofCache = (name: string, help: string, of: (counters: ModelMeasures["counters"]) => number): void =>
    family(
      name,
      "counter",
      help,
      models.map(
        ({ name: model, release, counters }) => [{ model, version: String(release ?? "") }, of(counters)] as const,
      ),
    );
  ofCache("nv_cache_num_hits_per_model", "Requests answered from the response cache", ({ cacheHits }) => cacheHits);
  ofCache(
    "nv_cache_num_misses_per_model",
    "Requests not found in the response cache",
    ({ cacheMisses }) => cacheMisses,
  );
}

function modelFamilies({ family }: ReturnType<typeof createMetricsWriter>, models: readonly ModelMeasures[]): void {
  const predictions: Samples = [];
  const fallbacks: Samples = [];
  const outOfRange: Samples = [];
  const drift: Samples = [];
  const versions: Samples = [];
  const beside: Samples = [];
  for (const { name: model, release, digest, counters, drift: fields, beside: second } of models) {
    for (const [source, rows] of Object.entries(counters.sources)) predictions.push([{ model, source }, rows]);
    for (const [reason, rows] of Object.entries(counters.reasons)) fallbacks.push([{ model, reason }, rows]);
    for (const [field, values] of Object.entries(counters.outOfRange)) outOfRange.push([{ model, field }, values]);
    for (const { field, verdict } of fields) drift.push([{ model, field, verdict }, 1]);
    if (second) {
      const version = String(second.release);
      beside.push([{ model, version, state: second.state, asked: "yes" }, second.pairs]);
      beside.push([{ model, version, state: second.state, asked: "no" }, second.skipped]);
    }
    if (release !== null && digest !== null) versions.push([{ model, version: String(release), digest }, 1]);
  }
  const each = (of: (model: ModelMeasures) => number): Samples =>
    models.map((model) => [{ model: model.name }, of(model)]);
  family("vedette_predictions_total", "counter", "Rows answered, by source", predictions);
  family("vedette_fallbacks_total", "counter", "Rows the model did not answer, by reason", fallbacks);
  family(
    "vedette_late_total",
    "counter",
    "Rows whose model answer came after the ladder's",
    each((m) => m.counters.late),
  );
  family(
    "vedette_invalid_requests_total",
    "counter",
    "Requests refused as invalid",
    each((m) => m.counters.errors),
  );
  family("vedette_out_of_range_total", "counter", "Values outside the schema's range", outOfRange);
  family("vedette_version_in_place", "gauge", "Always 1; the version that serves", versions);
  family("vedette_drift_verdict", "gauge", "Always 1; the last verdict on each field", drift);
  family("vedette_beside_predictions", "gauge", "Rows that the version beside the answers was asked, or not", beside);
  family(
    "vedette_spool_batches",
    "gauge",
    "Batches that wait for the control plane",
    each((m) => m.spoolBatches),
  );
  family(
    "vedette_spool_predictions",
    "gauge",
    "Predictions in these batches",
    each((m) => m.spoolRows),
  );
}
