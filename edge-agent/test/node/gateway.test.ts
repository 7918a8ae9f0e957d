/** The server as clients meet it: keys, limits, TLS, sockets, pages, and what it tells of itself. */
import { copyFile, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { codeOf } from "@vedette/protocol/errors";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Agent, Prediction, PredictRequest } from "../../src/core/agent.ts";
import type { Logger } from "../../src/core/ports.ts";
import { noLimits } from "../../src/node/gateway/allowance.ts";
import { createApiKey, readApiKeys, revokeApiKey } from "../../src/node/gateway/api-keys.ts";
import { defaultGateway } from "../../src/node/gateway/config.ts";
import { followKeys } from "../../src/node/gateway/open-gateway.ts";
import { type OipServer, type OipServerOptions, startOipServer } from "../../src/node/oip/server.ts";
import { createSlotAgent, type SlotAgent } from "./slot-agent.ts";

vi.setConfig({ testTimeout: 30_000 });
let home: string;
let lines: { event: string; fields: Record<string, unknown> | undefined }[];
let slots: SlotAgent;
let server: OipServer | undefined;
/** Holds back answers while it is set. */
let gate: Promise<void> | undefined;

const log: Logger = {
  info: (event, fields) => void lines.push({ event, fields }),
  warn: (event, fields) => void lines.push({ event, fields }),
  error: (event, fields) => void lines.push({ event, fields }),
};
const agent = (): Agent => ({
  ...slots.agent,
  async predict(request: PredictRequest): Promise<Prediction> {
    await gate;
    return slots.agent.predict(request);
  },
});
async function start(options: Partial<OipServerOptions> = {}): Promise<OipServer> {
  await server?.close();
  server = await startOipServer({
    agent: agent(),
    log,
    version: "0.1.0",
    port: 0,
    measures: () => slots.measures(),
    ...options,
  });
  return server;
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-gateway-"));
  lines = [];
  gate = undefined;
  slots = await createSlotAgent(["pump", "rain"]);
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await slots.close();
  await rm(home, { recursive: true, force: true });
});

interface Told {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}
/** By hand, since fetch adds headers of its own. */
function ask(options: RequestOptions & { body?: string; tls?: boolean; ca?: Buffer }): Promise<Told> {
  const { body, tls, ...rest } = options;
  return new Promise((resolve, reject) => {
    const made = (tls ? httpsRequest : httpRequest)({ host: "127.0.0.1", port: server?.port, agent: false, ...rest });
    made.on("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    made.on("error", reject);
    made.end(body);
  });
}
const body = (data: unknown = [1, 2]) =>
  JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data }] });
const infer = (headers: Record<string, string> = {}, model = "pump", text = body()) =>
  ask({
    method: "POST",
    path: `/v2/models/${model}/infer`,
    headers: { "content-length": text.length, ...headers },
    body: text,
  });
/** The status of what is sent as it stands. */
function rawStatus(text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: server?.port ?? 0 }, () => socket.write(text));
    socket.once("data", (bytes: Buffer) => {
      socket.destroy();
      resolve(Number(bytes.toString("latin1", 9, 12)));
    });
    socket.once("error", reject);
  });
}
const get = (path: string, headers: Record<string, string> = {}) => ask({ path, headers });
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const key = { name: "app", models: null, ratePerSecond: null, concurrent: null, expiresAt: null };

test("[G1] beyond loopback nobody asks without a key, unless that is said to be meant", async () => {
  const refused = (options: Partial<OipServerOptions>) =>
    start({ host: "0.0.0.0", ...options }).then(() => "up", codeOf);
  expect(await refused({})).toBe("unauthenticated");
  expect(await refused({ allowAnonymous: true })).toBe("up");
  expect((await infer()).status).toBe(200);
  expect(await refused({ apiKey: "s3cret" })).toBe("up");
  expect((await infer()).status).toBe(401);
  expect((await get("/v2/health/ready")).status).toBe(200);
});

test("[G4] a key for some models opens these, and nothing else that says anything of others", async () => {
  const made = await createApiKey(home, { ...key, models: ["pump"] });
  await start({ keys: await readApiKeys(home) });
  const own = bearer(made.key);
  expect((await infer(own)).status).toBe(200);
  const other = await infer(own, "rain");
  expect([other.status, other.text]).toEqual([403, expect.stringContaining("is not for model rain: it is for pump")]);
  for (const path of ["/v2/models/rain", "/v2/models/stats", "/metrics"])
    expect((await get(path, own)).status).toBe(403);
  expect((await get("/v2/models/pump/stats", own)).status).toBe(200);
});

test("[G2] a key that is made or revoked while the agent runs counts from then on", async () => {
  const first = await createApiKey(home, key);
  const { useKeys } = await start({ keys: await readApiKeys(home) });
  const unfollow = followKeys(home, useKeys, log);
  try {
    expect((await infer(bearer(first.key))).status).toBe(200);
    await revokeApiKey(home, first.kept.id);
    const second = await createApiKey(home, { ...key, name: "second" });
    await vi.waitFor(async () => expect((await infer(bearer(second.key))).status).toBe(200), { timeout: 10_000 });
    expect((await infer(bearer(first.key))).status).toBe(401);
  } finally {
    unfollow();
  }
});

test("[G5] a key over its rate is told when to come again; others are not held up", async () => {
  const slow = await createApiKey(home, { ...key, ratePerSecond: 0.001 });
  const free = await createApiKey(home, key);
  await start({ keys: await readApiKeys(home) });
  expect((await infer(bearer(slow.key))).status).toBe(200);
  const refused = await infer(bearer(slow.key));
  expect(refused).toMatchObject({ status: 429, headers: { "retry-after": expect.stringMatching(/^\d+$/) } });
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(900);
  expect((await infer(bearer(free.key))).status).toBe(200);
});

test("[G5] requests of a key beyond its number at once are refused, and those refused later give their place back", async () => {
  const made = await createApiKey(home, { ...key, concurrent: 2 });
  await start({ keys: await readApiKeys(home) });
  for (let i = 0; i < 5; i++) expect((await infer(bearer(made.key), "pump", "{")).status).toBe(400);
  const opened = Promise.withResolvers<void>();
  gate = opened.promise;
  const calls = Array.from({ length: 3 }, () => infer(bearer(made.key)));
  expect((await Promise.race(calls)).status).toBe(429);
  opened.resolve();
  expect((await Promise.all(calls)).map(({ status }) => status).sort()).toEqual([200, 200, 429]);
  expect((await infer(bearer(made.key))).status).toBe(200);
});

test("[G5] a client that goes away before its body is whole gives its place back", async () => {
  const made = await createApiKey(home, { ...key, concurrent: 2 });
  await start({ keys: await readApiKeys(home), logShare: 1 });
  const leave = async (length: number) => {
    const head = `POST /v2/models/pump/infer HTTP/1.1\r\nhost: x\r\nx-api-key: ${made.key}\r\ncontent-length: ${length}`;
    const socket = connect({ host: "127.0.0.1", port: server?.port ?? 0 }, () => socket.write(`${head}\r\n\r\n{`));
    const before = lines.length;
    // One that came later was answered: this one has its place by now.
    await vi.waitFor(async () => expect((await infer(bearer(made.key), "pump", "{")).status).toBe(400));
    socket.destroy();
    await vi.waitFor(() =>
      expect(lines.slice(before)).toContainEqual({
        event: "http.request",
        fields: expect.objectContaining({ status: 499, client: made.kept.id }),
      }),
    );
  };
  for (const length of [50, 50, 100_000, 100_000]) await leave(length);
  expect((await infer(bearer(made.key))).status).toBe(200);
});

test("[G7] what HTTP itself refuses has its own status, and says what would be taken", async () => {
  await start({ maxBodyBytes: 2048, maxRows: 2 });
  const wrongMethod = await ask({ method: "PUT", path: "/v2/models/pump/infer" });
  expect(wrongMethod).toMatchObject({ status: 405, headers: { allow: "POST" } });
  expect(await ask({ method: "DELETE", path: "/v2/models/pump" })).toMatchObject({
    status: 405,
    headers: { allow: "GET, HEAD" },
  });
  expect((await infer({ accept: "text/html" })).status).toBe(406);
  expect((await infer({ accept: "text/html, */*;q=0.1" })).status).toBe(200);
  expect((await infer({ "content-type": "application/xml" })).status).toBe(415);
  expect((await infer({ "content-type": "application/x-www-form-urlencoded" })).status).toBe(200);
  expect((await infer({ "content-encoding": "gzip" })).status).toBe(415);
  expect(await rawStatus("POST /v2/models/pump/infer HTTP/1.1\r\nhost: x\r\n\r\n")).toBe(411);
  expect((await infer({}, "pump", body(Array(1000).fill(1.5)))).status).toBe(413);
  const rows = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [3, 2], data: [1, 2, 3, 4, 5, 6] }] });
  expect(await infer({}, "pump", rows)).toMatchObject({
    status: 400,
    text: expect.stringContaining("3 rows are too many"),
  });
  expect((await infer({}, "snow")).status).toBe(404);
  expect((await get("/v2/models/pump/versions/8")).status).toBe(404);
});

test("[G7] a value that the signed schema refuses is named by its field and row", async () => {
  await start();
  const nothing = await infer({}, "pump", body([null, 2]));
  expect(nothing).toMatchObject({ status: 400, text: expect.stringContaining("field wind of row 0 is missing") });
});

test("[G8] a page of a named origin may ask, others may not, and a preflight needs no key", async () => {
  const origin = "https://app.example";
  await start({ apiKey: "s3cret", corsOrigins: [origin] });
  const preflight = (from: string) =>
    ask({
      method: "OPTIONS",
      path: "/v2/models/pump/infer",
      headers: { origin: from, "access-control-request-method": "POST" },
    });
  expect(await preflight(origin)).toMatchObject({
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-headers": expect.stringContaining("authorization"),
    },
  });
  expect((await preflight("https://evil.example")).status).toBe(403);
  const told = await infer({ origin, ...bearer("s3cret") });
  expect(told).toMatchObject({ status: 200, headers: { "access-control-allow-origin": origin, vary: "Origin" } });
  const refused = await infer({ origin });
  expect([refused.status, refused.headers["access-control-allow-origin"]]).toEqual([401, origin]);
  const stranger = await infer({ origin: "https://evil.example", ...bearer("s3cret") });
  expect(stranger.headers["access-control-allow-origin"]).toBeUndefined();
  await start({ corsOrigins: [origin] });
  expect((await infer({ origin: "https://evil.example" })).status).toBe(403);
  expect((await infer({ origin })).status).toBe(200);
});

test("[G11] TLS by certificate and key; a renewed certificate serves without a restart, a broken one does not stop the former", async () => {
  const certificates = fileURLToPath(new URL("./tls/", import.meta.url));
  const tls = { certFile: join(home, "cert.pem"), keyFile: join(home, "key.pem") };
  let seconds = 1_700_000_000;
  const put = async (name: string): Promise<void> => {
    await copyFile(join(certificates, `${name}.key.pem`), tls.keyFile);
    await copyFile(join(certificates, `${name}.cert.pem`), tls.certFile);
    // Files are compared by their times, which two writes at once may share.
    seconds += 10;
    for (const file of Object.values(tls)) await utimes(file, seconds, seconds);
  };
  const subject = (): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const made = httpsRequest({
        host: "127.0.0.1",
        port: server?.port,
        path: "/v2",
        rejectUnauthorized: false,
        agent: false,
      });
      made.on("response", (response) => {
        const { socket } = response.resume();
        resolve(
          "getPeerCertificate" in socket ? String((socket as TLSSocket).getPeerCertificate().subject.CN) : undefined,
        );
      });
      made.on("error", reject);
      made.end();
    });
  await put("first");
  const { url } = await start({ tls });
  expect(url).toMatch(/^https:/);
  expect(await subject()).toBe("first");
  await put("second");
  await vi.waitFor(async () => expect(await subject()).toBe("second"), { timeout: 10_000 });
  await writeFile(tls.certFile, "no certificate");
  await vi.waitFor(() => expect(lines.map(({ event }) => event)).toContain("http.certificate_not_reloaded"), {
    timeout: 10_000,
  });
  expect(await subject()).toBe("second");
  expect(await start({ tls }).catch(codeOf)).toBe("invalid_argument");
});

test("[G12] a Unix socket is its owner's, needs no key, and one left by a dead process is taken over", async () => {
  const socket = join(home, "agent.sock");
  await start({ socket });
  expect((await stat(socket)).mode & 0o077).toBe(0);
  const told = await ask({ socketPath: socket, path: "/v2/models" });
  expect(JSON.parse(told.text)).toEqual({ models: ["pump", "rain"] });
  const second = startOipServer({ agent: agent(), log, version: "0", port: 0, socket });
  expect(await second.then(() => "up", codeOf)).toBe("conflict");
  const file = join(home, "file");
  await writeFile(file, "a person's");
  expect(await start({ socket: file }).catch(codeOf)).toBe("conflict");
});

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
  const requests = lines.filter(({ event }) => event === "http.request").map(({ fields }) => fields);
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
  expect(JSON.stringify(lines)).not.toMatch(/s3cret|41\.125|7\.75/);
});

test("[G14] of requests as many have a line as was wished, and failures of ours always", async () => {
  await start({ logShare: 0.25 });
  for (let i = 0; i < 8; i++) await infer();
  expect(lines.filter(({ event }) => event === "http.request")).toHaveLength(2);
  gate = Promise.reject(new Error("a fault"));
  gate.catch(() => undefined);
  await start({ logShare: 0 });
  expect((await infer()).status).toBe(500);
  expect(lines.filter(({ event }) => event === "http.failed")).toHaveLength(1);
});

test("what is asked where nothing is set is as the defaults say", () => {
  expect(defaultGateway).toMatchObject({ host: "127.0.0.1", port: 8790, allowAnonymous: false, client: noLimits });
});
