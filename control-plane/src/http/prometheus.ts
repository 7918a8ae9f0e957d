/** GET /metrics for Prometheus, behind the operator's token. Collected when asked; the lake is counted once a minute. */

import type { OpenAPIHono } from "@hono/zod-openapi";
import { severities } from "@vedette/protocol/alerts-api";
import { createMetricsWriter } from "@vedette/protocol/prometheus-text";
import type { StoredCount } from "../ports.ts";
import type { HttpPorts } from "./ports.ts";

const countEveryMs = 60_000;

export function prometheusRoute(
  app: OpenAPIHono,
  ports: Pick<HttpPorts, "site" | "clock" | "listDevices" | "missing" | "alerts">,
  { activity, lake }: HttpPorts["metrics"],
): void {
  const { clock, site } = ports;
  let counted: { readonly at: number; readonly rows: Promise<readonly StoredCount[]> } | undefined;
  const rows = async (): Promise<readonly StoredCount[]> => {
    if (!counted || clock.now() - counted.at >= countEveryMs) counted = { at: clock.now(), rows: lake.counts() };
    try {
      return await counted.rows;
    } catch (error) {
      counted = undefined;
      throw error;
    }
  };

  app.get("/metrics", async (c) => {
    const write = createMetricsWriter();
    const { family, single } = write;
    const devices = await ports.listDevices();
    family("vedette_site_info", "gauge", "Always 1; which site this is", [[{ site }, 1]]);
    single("vedette_devices_enrolled", "gauge", "Devices that joined", devices.length);
    single("vedette_devices_online", "gauge", "Devices heard of lately", devices.filter(({ online }) => online).length);
    single("vedette_ingest_batches_total", "counter", "Batches that came", activity.batches);
    single("vedette_ingest_bytes_total", "counter", "Bytes of these", activity.batchBytes);
    family(
      "vedette_ingest_answers_total",
      "counter",
      "What batches were answered with",
      Object.entries(activity.answers).map(([answer, count]) => [{ answer }, count] as const),
    );
    single("vedette_reports_total", "counter", "Reports of devices", activity.reports);
    family(
      "vedette_http_answers_total",
      "counter",
      "HTTP answers, by the first digit of their status",
      Object.entries(activity.http).map(([status, count]) => [{ status }, count] as const),
    );
    family(
      "vedette_stored_predictions",
      "gauge",
      "Predictions in the lake, counted once a minute",
      (await rows()).map(({ model, digest, source, rows: n }) => [{ model, digest: digest ?? "", source }, n] as const),
    );
    family(
      "vedette_missing_predictions",
      "gauge",
      "Predictions that devices said were lost",
      Object.entries(await ports.missing()).map(([model, count]) => [{ model }, count] as const),
    );
    const firing = ports.alerts.firing();
    family(
      "vedette_alerts_firing",
      "gauge",
      "Alerts that fire",
      severities.map((severity) => [{ severity }, firing.filter((one) => one.severity === severity).length] as const),
    );
    const { user, system } = process.cpuUsage();
    single("process_resident_memory_bytes", "gauge", "Resident memory of this process", process.memoryUsage.rss());
    single("process_cpu_seconds_total", "counter", "CPU time of this process", (user + system) / 1e6);
    single("vedette_uptime_seconds", "gauge", "Since this process began", process.uptime());
    return c.text(write.text(), 200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
  });
}
