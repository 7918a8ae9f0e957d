/**
 * Spans of requests to an OpenTelemetry collector, by OTLP over HTTP. Loaded only where OTEL_EXPORTER_OTLP_ENDPOINT (or
 * its _TRACES_ form) is set; the exporter reads that and its other variables (headers, timeout, certificates) itself.
 */
import {
  type Attributes,
  createTraceState,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { messageOf } from "@vedette/protocol/errors";
import type { Prediction } from "../../core/agent.ts";
import type { Logger } from "../../core/ports.ts";
import { parseTraceparent, type Tracing } from "./tracing.ts";

const hex2 = (value: number): string => value.toString(16).padStart(2, "0");

/** Every request a span, by what the environment says of sampling. */
export function createOtlpTracing(options: { agent: string; version: string; log: Logger; delayMs?: number }): Tracing {
  const { agent, version, log } = options;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": process.env.OTEL_SERVICE_NAME || "vedette-agent",
      "service.version": version,
      "service.instance.id": agent,
    }),
    sampler: new ParentBasedSampler({ root: rootSampler(process.env) }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer("@vedette/edge-agent", version);

  return {
    begin(traceparent, tracestate) {
      const parent = typeof traceparent === "string" ? parseTraceparent(traceparent) : undefined;
      const context = parent
        ? trace.setSpanContext(ROOT_CONTEXT, remote(parent, typeof tracestate === "string" ? tracestate : undefined))
        : ROOT_CONTEXT;
      const span = tracer.startSpan("infer", { kind: SpanKind.SERVER }, context);
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceId,
        traceparent: `00-${traceId}-${spanId}-${hex2(traceFlags)}`,
        predicted: (prediction) => void span.setAttributes(attributesOf(prediction)),
        end(method, path, status, model) {
          span.updateName(model === undefined ? `${method} ${path.slice(0, 200)}` : `infer ${model}`);
          span.setAttributes({
            "http.request.method": method,
            "url.path": path.slice(0, 200),
            "http.response.status_code": status,
          });
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
    async close() {
      try {
        await provider.shutdown();
      } catch (error) {
        log.warn("traces.not_sent", { why: messageOf(error) });
      }
    },
  };
}

/** By OpenTelemetry's variables: a share of the traces that begin here, or all of them; a caller's choice is kept. */
function rootSampler({ OTEL_TRACES_SAMPLER = "", OTEL_TRACES_SAMPLER_ARG = "1" }: NodeJS.ProcessEnv): Sampler {
  if (OTEL_TRACES_SAMPLER.endsWith("always_off")) return new AlwaysOffSampler();
  if (!OTEL_TRACES_SAMPLER.endsWith("traceidratio")) return new AlwaysOnSampler();
  return new TraceIdRatioBasedSampler(Number(OTEL_TRACES_SAMPLER_ARG));
}

/** What follows is a continuation of the caller's span; its vendors' state goes on with it. */
function remote(
  { traceId, spanId, flags }: { traceId: string; spanId: string; flags: number },
  state: string | undefined,
): SpanContext {
  const context = { traceId, spanId, traceFlags: flags & 1, isRemote: true };
  return state === undefined ? context : { ...context, traceState: createTraceState(state) };
}

/** Never inputs or outputs: a trace goes to other people than the predictions do. */
function attributesOf({ model, release, answers }: Prediction): Attributes {
  const [first] = answers;
  return {
    "vedette.model": model,
    "vedette.rows": answers.length,
    ...(release !== null && { "vedette.version": release }),
    ...(first && { "vedette.prediction.id": first.id, "vedette.source": first.source }),
    ...(first?.reason && { "vedette.reason": first.reason }),
  };
}
