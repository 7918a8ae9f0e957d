/**
 * Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), written when it is asked
 * for, from counters that are kept anyway: agent and control plane both answer GET /metrics with it.
 */
export type MetricType = "counter" | "gauge";
export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricsWriter {
  /** One family; each sample's labels tell it from the others. Families without samples are left out. */
  family(
    name: string,
    type: MetricType,
    help: string,
    samples: Iterable<readonly [labels: MetricLabels, value: number]>,
  ): void;
  /** One sample without labels. */
  single(name: string, type: MetricType, help: string, value: number): void;
  text(): string;
}

export function createMetricsWriter(): MetricsWriter {
  let all = "";
  const writer: MetricsWriter = {
    family(name, type, help, samples) {
      let lines = "";
      for (const [labels, value] of samples) lines += `${name}${labelText(labels)} ${valueText(value)}\n`;
      if (lines !== "") all += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines}`;
    },
    single: (name, type, help, value) => writer.family(name, type, help, [[{}, value]]),
    text: () => all,
  };
  return writer;
}

function labelText(labels: MetricLabels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function valueText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
