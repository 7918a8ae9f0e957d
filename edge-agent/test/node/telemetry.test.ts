/** What the server tells of itself: statistics, metrics, traces and its log. */
import { expect, test, vi } from "vitest";
import { bearer, body, get, infer, rig, start } from "./gateway-rig.ts";

vi.setConfig({ testTimeout: 30_000 });

test("[G13] statistics in Triton's shape: of one model, of one version, of all", async () => {
  await start();
  for (let i = 0; i < 3; i++) await infer();
  await infer({}, "pump", "{");
  const one = JSON.parse((await get("/v2/models/pump/versions/1/stats")).text);
  expect(one).toEqual(JSON.parse((await get("/v2/models/pump/stats")).text));
  expect(one.model_stats).toEqual([
    expect.objectContaining({
      name: "pump",
      version: "1",
      inference_count: 3,
      execution_count: 3,
      inference_stats: expect.objectContaining({
        success: { count: 3, ns: expect.any(Number) },
        fail: { count: 1, ns: expect.any(Number) },
        compute_infer: { count: 3, ns: expect.any(Number) },
      }),
    }),
  ]);
  const all = JSON.parse((await get("/v2/models/stats")).text);
  expect(all.model_stats.map(({ name }: { name: string }) => name)).toEqual(["pump", "rain"]);
});

/** Name, labels and value of each line; the same series twice is no exposition. */
function samples(text: string): Map<string, number> {
  const read = new Map<string, number>();
  const types = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge)$/.exec(line);
    if (type) {
      expect(types).not.toContain(type[1]);
      types.add(type[1] as string);
    } else if (!line.startsWith("# HELP ")) {
      const sample =
        /^(([a-zA-Z_:][\w:]*)(?:\{(?:[a-z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*\})?) (-?[\d.e+-]+|NaN|[+-]Inf)$/.exec(line);
      expect({ line, type: types.has(sample?.[2] ?? "") }).toEqual({ line, type: true });
      expect([...read.keys()]).not.toContain(sample?.[1]);
      read.set(sample?.[1] as string, Number(sample?.[3]));
    }
  }
  return read;
}

test("[G10] metrics read as Prometheus reads them, with Triton's names and our own, and count what was asked", async () => {
  await start({ apiKey: "s3cret" });
  for (let i = 0; i < 2; i++) await infer(bearer("s3cret"));
  await infer(bearer("s3cret"), "pump", "{");
  expect((await get("/metrics")).status).toBe(401);
  const told = await get("/metrics", bearer("s3cret"));
  expect(told.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
  const read = samples(told.text);
  expect(read.get('nv_inference_request_success{model="pump",version="1"}')).toBe(2);
  expect(read.get('nv_inference_request_failure{model="pump",version="1",reason="REJECTED"}')).toBe(1);
  expect(read.get('nv_inference_count{model="pump",version="1"}')).toBe(2);
  expect(read.get('vedette_predictions_total{model="pump",source="model"}')).toBe(2);
  expect(read.get("vedette_connected")).toBe(0);
  expect(read.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
  for (const name of [
    "nv_inference_queue_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_exec_count",
  ]) {
    expect([...read.keys()].some((series) => series.startsWith(`${name}{`))).toBe(true);
  }
  await start({ apiKey: "s3cret", openMetrics: true });
  expect((await get("/metrics")).status).toBe(200);
});

test("[G14] a trace that comes is passed on and named in the log; inputs and keys are in no line", async () => {
  await start({ apiKey: "s3cret-key", logShare: 1 });
  const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const told = await infer({ traceparent, ...bearer("s3cret-key") }, "pump", body([41.125, 7.75]));
  expect(told.headers.traceparent).toBe(traceparent);
  await get("/v2?api_key=s3cret-key", bearer("s3cret-key"));
  await infer({ traceparent: "00-zz", ...bearer("wrong-s3cret") });
  const requests = rig.lines.filter(({ event }) => event === "http.request").map(({ fields }) => fields);
  expect(requests).toEqual([
    {
      method: "POST",
      path: "/v2/models/pump/infer",
      status: 200,
      ms: expect.any(Number),
      client: "api-key",
      trace: "a".repeat(32),
    },
    { method: "GET", path: "/v2", status: 200, ms: expect.any(Number), client: "api-key" },
    {
      method: "POST",
      path: "/v2/models/pump/infer",
      status: 401,
      ms: expect.any(Number),
      client: undefined,
      error: expect.any(String),
    },
  ]);
  expect(JSON.stringify(rig.lines)).not.toMatch(/s3cret|41\.125|7\.75/);
});

test("[G14] of requests as many have a line as was wished, and failures of ours always", async () => {
  await start({ logShare: 0.25 });
  for (let i = 0; i < 8; i++) await infer();
  expect(rig.lines.filter(({ event }) => event === "http.request")).toHaveLength(2);
  rig.gate = Promise.reject(new Error("a fault"));
  rig.gate.catch(() => undefined);
  await start({ logShare: 0 });
  expect((await infer()).status).toBe(500);
  expect(rig.lines.filter(({ event }) => event === "http.failed")).toHaveLength(1);
});
