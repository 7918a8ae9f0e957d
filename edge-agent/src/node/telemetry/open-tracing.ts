/** Which tracing there is: run-agent.ts asks. */
import type { Logger } from "../../core/ports.ts";
import { passingOn, type Tracing } from "./tracing.ts";

/** The SDK costs some milliseconds and megabytes: it is loaded only where spans are wanted. */
export async function openTracing(agent: string, version: string, log: Logger): Promise<Tracing> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_SDK_DISABLED } = process.env;
  const wanted = OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  if (!wanted || OTEL_SDK_DISABLED === "true") return passingOn;
  const { createOtlpTracing } = await import("./otlp-tracing.ts");
  return createOtlpTracing({ agent, version, log });
}
