/**
 * W3C Trace Context of requests. Without an exporter a trace that comes in is passed on and its id goes into the log; with
 * one (otlp-tracing.ts, loaded only where OTEL_EXPORTER_OTLP_ENDPOINT is set) every request is a span.
 */
import type { Prediction } from "../../core/agent.ts";

export interface Span {
  readonly traceId: string;
  /** What the answer's header says, and what follows would continue. */
  readonly traceparent: string;
  predicted(prediction: Prediction): void;
  end(method: string, path: string, status: number, model: string | undefined): void;
}
export interface Tracing {
  /** @returns null where there is nothing to trace. */
  begin(traceparent: string | string[] | undefined, tracestate: string | string[] | undefined): Span | null;
  /** Sends what is left. */
  close(): Promise<void>;
}

export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

/** A `traceparent` by the W3C's rules (https://www.w3.org/TR/trace-context/#traceparent-header); undefined where it is none. */
export function parseTraceparent(text: string): TraceContext | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text);
  if (!match) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** Passes on what comes, and costs nothing where nothing does. */
export const passingOn: Tracing = {
  begin(traceparent) {
    if (typeof traceparent !== "string") return null;
    const context = parseTraceparent(traceparent);
    return context ? { traceId: context.traceId, traceparent, predicted: ignore, end: ignore } : null;
  },
  close: async () => undefined,
};

function ignore(): void {
  // Nobody collects spans.
}
