/** Traces as a collector gets them: a real OTLP receiver on loopback, and the command's own way to load the exporter. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startOipServer } from "../../src/node/oip/server.ts";
import { openTracing } from "../../src/node/telemetry/open-tracing.ts";
import { parseTraceparent, passingOn } from "../../src/node/telemetry/tracing.ts";
import { createSlotAgent, type SlotAgent } from "./slot-agent.ts";

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  name: string;
  attributes: { key: string; value: Record<string, unknown> }[];
}
interface Export {
  resourceSpans: {
    resource: { attributes: OtlpSpan["attributes"] };
    scopeSpans: { spans: OtlpSpan[] }[];
  }[];
}

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
let collector: Server;
let exports: { path: string | undefined; body: Export }[];
let slots: SlotAgent;

beforeEach(async () => {
  exports = [];
  collector = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      exports.push({ path: incoming.url, body: JSON.parse(Buffer.concat(parts).toString()) });
      outgoing.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${(collector.address() as AddressInfo).port}`);
  slots = await createSlotAgent(["pump"]);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await slots.close();
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

/** The answers' headers, and after them all spans that were exported. */
async function askTraced(headers: Record<string, string>[]): Promise<{ told: Response[]; spans: OtlpSpan[] }> {
  const tracing = await openTracing("a1", "0.1.0", log);
  const server = await startOipServer({ agent: slots.agent, log, version: "0.1.0", port: 0, tracing });
  const told: Response[] = [];
  try {
    for (const more of headers) {
      const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [41.125, 7.75] }] });
      told.push(await fetch(`${server.url}/v2/models/pump/infer`, { method: "POST", body, headers: more }));
    }
  } finally {
    await server.close();
    await tracing.close();
  }
  const spans = exports.flatMap(({ body }) =>
    body.resourceSpans.flatMap((each) => each.scopeSpans.flatMap((scope) => scope.spans)),
  );
  return { told, spans };
}
const attribute = (span: OtlpSpan | undefined, key: string): unknown =>
  Object.values(span?.attributes.find((each) => each.key === key)?.value ?? {})[0];

test("[G17] a request is a span that continues the caller's trace, with its state, exported over OTLP without its inputs", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const parent = "b7ad6b7169203331";
  const { told, spans } = await askTraced([{ traceparent: `00-${traceId}-${parent}-01`, tracestate: "rojo=00f067aa" }]);
  expect(exports.map(({ path }) => path)).toEqual(["/v1/traces"]);
  expect(spans).toEqual([
    expect.objectContaining({ traceId, parentSpanId: parent, name: "infer pump", traceState: "rojo=00f067aa" }),
  ]);
  const [span] = spans;
  expect(told[0]?.headers.get("traceparent")).toBe(`00-${traceId}-${span?.spanId}-01`);
  expect(Number(attribute(span, "http.response.status_code"))).toBe(200);
  expect(attribute(span, "vedette.source")).toBe("model");
  expect(attribute(span, "vedette.prediction.id")).toMatch(/^a1\.pump\.[0-9a-f]{16}\.0$/);
  const resource = exports[0]?.body.resourceSpans[0]?.resource.attributes;
  expect(resource).toContainEqual({ key: "service.instance.id", value: { stringValue: "a1" } });
  expect(JSON.stringify(exports)).not.toMatch(/41\.125|7\.75/);
});

test("[G17] without a caller's trace one begins; what the caller did not sample is not exported, and a broken header is none", async () => {
  const unsampled = `00-${"c".repeat(32)}-${"d".repeat(16)}-00`;
  const { told, spans } = await askTraced([{}, { traceparent: unsampled }, { traceparent: "00-0-0-1" }]);
  const ids = told.map((answer) => parseTraceparent(answer.headers.get("traceparent") ?? "")?.traceId);
  expect(ids[1]).toBe("c".repeat(32));
  expect(spans.map((span) => span.traceId)).toEqual([ids[0], ids[2]]);
});

test("[G17] without an endpoint nothing is loaded, and a trace is passed on", async () => {
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", "");
  expect(await openTracing("a1", "0.1.0", log)).toBe(passingOn);
  expect(passingOn.begin(undefined, undefined)).toBeNull();
});

test("a collector that is not there costs no answer", async () => {
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
  vi.stubEnv("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
  const { told } = await askTraced([{}]);
  expect(told[0]?.status).toBe(200);
});

test.each([
  ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true],
  ["cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true],
  ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false],
  ["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false],
  ["00-00000000000000000000000000000000-b7ad6b7169203331-01", false],
  ["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false],
  ["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false],
])("traceparent %s is one: %s", (text, good) => {
  expect(parseTraceparent(text) !== undefined).toBe(good);
});
