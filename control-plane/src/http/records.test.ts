/** Counts, export, sinks and erasure over HTTP, with the real lake. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { erasure, predictionCounts, sinkList } from "@vedette/protocol/records-api";
import { CloudEvent, HTTP } from "cloudevents";
import { expect, onTestFinished, test } from "vitest";
import { makeFrame, testFolder, testKeys } from "../../test/batches.ts";
import { makeBundle } from "../../test/bundle.ts";
import { noon, silentLogger } from "../../test/clock.ts";
import { type RecordsSite, startRecordsSite } from "../../test/records-site.ts";
import { enroll, initialiseTrust, publish } from "../../test/site.ts";
import { createEventDelivery } from "../lake/deliver-events.ts";
import { openLake } from "../lake/open-lake.ts";
import { systemClock } from "../system-clock.ts";

async function withModel(): Promise<RecordsSite> {
  const site = await startRecordsSite();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [makeBundle("rain", "one")]);
  return site;
}

async function download(site: RecordsSite, path: string, body: object): Promise<Uint8Array> {
  const token = (await readFile(join(site.home, "operator.token"), "utf8")).trim();
  const answer = await fetch(new URL(path, site.url), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  return new Uint8Array(await answer.arrayBuffer());
}

test("[N24] every numbered prediction is told once: answered by what, missing and why, awaited, erased, removed", async () => {
  const site = await withModel();
  const fallback = { source: ["u8", Uint8Array.of(0, 2, 3)], reason: ["u8", Uint8Array.of(255, 3, 0)] } as const;
  await site.take(
    { seq: 0, columns: { source: ["u8", fallback.source[1]], reason: ["u8", fallback.reason[1]] } },
    { seq: 1, account: { reason: "power_loss", digest: null, release: null, from: 3, ends: [10] } },
    { seq: 2, firstN: 10 },
    { seq: 3, firstN: 13, count: 2, header: { columns: [] } },
    { seq: 4, firstN: 15 },
    { seq: 6, firstN: 20 },
  );
  const counts = async () => predictionCounts.parse((await site.call("GET", "/v1/predictions/counts")).body).models[0];
  const version = { version: 3, digest: "ab".repeat(32), erased: 0, removed: 0 };
  const before = await counts();
  expect(before).toEqual({
    model: "rain",
    numbered: 23,
    answered: [
      { ...version, source: "model", reason: null, rows: 10 },
      { ...version, source: "none", reason: "no_model", rows: 1 },
      { ...version, source: "rule", reason: "latency_budget", rows: 1 },
    ],
    missing: [
      { version: null, reason: "power_loss", rows: 7 },
      { version: null, reason: "refused", rows: 2 },
    ],
    expected: 2,
  });
  const erased = await site.call("POST", "/v1/predictions/erasures", { entity: "station-1", model: "rain" });
  expect(erasure.parse(erased.body)).toMatchObject({ rows: 4, lateRows: 0, doneAt: expect.any(String), devices: [] });
  const after = await counts();
  expect(after?.numbered).toBe(23);
  expect(after?.answered.reduce((sum, one) => sum + one.erased, 0)).toBe(4);
  expect(JSON.stringify((await site.call("GET", "/v1/predictions/erasures")).body)).not.toContain("station-1");
});

test("what cannot be is refused: unknown models, wrong days, sinks that are there", async () => {
  const site = await withModel();
  const status = async (...[method, path, body]: [string, string, object]) =>
    (await site.call(method, path, body)).status;
  expect(await status("PUT", "/v1/predictions/retention", { model: "nobody", days: 3 })).toBe(404);
  expect(await status("PUT", "/v1/predictions/retention", { model: "rain", days: 0 })).toBe(400);
  expect(await status("POST", "/v1/predictions/erasures", { entity: "" })).toBe(400);
  expect(await status("POST", "/v1/predictions/erasures", { entity: "x", model: "nobody" })).toBe(404);
  const sink = { name: "s", url: "http://127.0.0.1:1/" };
  expect(await status("POST", "/v1/sinks", sink)).toBe(200);
  expect(await status("POST", "/v1/sinks", sink)).toBe(409);
  expect(await status("POST", "/v1/sinks", { ...sink, name: "t", url: "file:///etc/passwd" })).toBe(400);
  expect(await status("POST", "/v1/sinks", { ...sink, name: "t", url: "http://me:s3cret@127.0.0.1:9/" })).toBe(400);
  expect(await status("DELETE", "/v1/sinks/s", {})).toBe(200);
  expect(await status("DELETE", "/v1/sinks/s", {})).toBe(404);
  const anonymous = { authorization: "Bearer no" };
  for (const path of ["/v1/backup", "/v1/predictions/export", "/v1/predictions/erasures", "/v1/sinks"])
    expect((await site.call("POST", path, {}, anonymous)).status).toBe(401);
});

test("[N25] an export is valid CloudEvents of KServe's types; as lines and as Parquet it has every row", async () => {
  const site = await withModel();
  await site.take({ seq: 0 }, { seq: 1 }, { seq: 0, stream: "snow" });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim().split("\n");
  const events = text(await download(site, "/v1/predictions/export", { format: "cloudevents", model: "rain" })).map(
    (line) => new CloudEvent<{ inputs?: unknown[]; outputs?: unknown[] }>(JSON.parse(line)),
  );
  for (const event of events) expect(event.validate()).toBe(true);
  expect(events).toHaveLength(12);
  expect(new Set(events.map(({ source, id }) => `${source} ${id}`)).size).toBe(12);
  const second = events.filter(({ id }) => id.endsWith(".1"));
  expect(second.map(({ type }) => type)).toEqual([
    "org.kubeflow.serving.inference.request",
    "org.kubeflow.serving.inference.response",
  ]);
  expect(second[0]?.data?.inputs).toEqual([{ name: "temp", shape: [1], datatype: "FP64", data: [11] }]);
  expect(second[1]?.data?.outputs?.[0]).toEqual({ name: "label", shape: [1], datatype: "BYTES", data: ["rain"] });
  const lines = text(await download(site, "/v1/predictions/export", { format: "ndjson" }));
  expect(lines.map((line) => JSON.parse(line).model).sort()).toEqual([
    ...Array(6).fill("rain"),
    ...Array(3).fill("snow"),
  ]);
  const file = join(await mkdtemp(join(tmpdir(), "vedette-export-")), "all.parquet");
  await writeFile(file, await download(site, "/v1/predictions/export", { format: "parquet" }));
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const counted = await connection.runAndReadAll(`SELECT count(*), count(in_temp) FROM '${file}'`);
  expect(counted.getRows()).toEqual([[9n, 9n]]);
  connection.closeSync();
  const none = { format: "ndjson", since: new Date(noon + 86_400_000 * 365 * 99).toISOString() };
  expect(await download(site, "/v1/predictions/export", none)).toHaveLength(0);
});

/** A receiver that fails as it is told to, and reads events by the official library. */
async function receiver(answers: (number | "hang up")[]) {
  const got: CloudEvent<unknown>[] = [];
  const requests: { auth: string | undefined; events: number }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const events = HTTP.toEvent<unknown>({ headers: request.headers, body });
      const batch = Array.isArray(events) ? events : [events];
      requests.push({ auth: request.headers.authorization, events: batch.length });
      const answer = answers.shift() ?? 202;
      // It may have taken them and not have said so: at least once.
      if (answer === "hang up" || answer < 300) got.push(...(batch as CloudEvent<unknown>[]));
      if (answer === "hang up") request.socket.destroy();
      else response.writeHead(answer).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`, got, requests };
}

test("[N26] a sink gets each event at least once and in order, over refusals, hang-ups and restarts", async () => {
  const folder = testFolder();
  const open = () => openLake({ folder, clock: systemClock, logger: silentLogger, deviceKeys: testKeys });
  let lake = await open();
  const take = async (seq: number) => {
    await lake.ingestion.take("dev", "rain", makeFrame({ seq, count: 150 }));
    await lake.lake.flush();
  };
  await take(0);
  const { url, got, requests } = await receiver([503, 202, "hang up", 301]);
  const tokens = testFolder();
  await writeFile(join(tokens, "hook"), "secret-token\n");
  await lake.records.addSink({ name: "hook", url, model: "rain", fromStart: true });
  await lake.records.addSink({ name: "later", url, model: "rain", fromStart: false });
  let now = 0;
  const clock = { now: () => now, after: () => () => {} };
  const failures: number[] = [];
  const round = async () => {
    const records = {
      ...lake.records,
      deliveryFailed: async (name: string, why: string, inMs: number) => {
        failures.push(inMs);
        await lake.records.deliveryFailed(name, why, -1);
      },
    };
    now += 1000;
    const tokenFile = (name: string) => join(tokens, name);
    await createEventDelivery({ site: "test", records, clock, logger: silentLogger, tokenFile, random: () => 1 })();
  };
  await round();
  expect(await lake.records.sinks()).toMatchObject([
    { name: "hook", delivered: 0, failures: 1, lastError: expect.stringContaining("503") },
    { name: "later", delivered: 0, failures: 0 },
  ]);
  await round();
  await take(1);
  await lake.records.removeSink("later");
  await round();
  await lake.close();
  lake = await open();
  await round();
  await round();
  const state = (await lake.records.sinks())[0];
  expect(state).toMatchObject({ delivered: 300, failures: 0, lastError: null });
  expect(failures).toEqual([1000, 1000, 2000]);
  const responses = got.filter(({ type }) => type.endsWith("response")).map(({ id }) => Number(id.split(".").at(-1)));
  expect([...new Set(responses)]).toEqual(Array.from({ length: 300 }, (_, n) => n));
  expect(responses).toHaveLength(450);
  expect(requests.every(({ auth }) => auth === "Bearer secret-token")).toBe(true);
  await round();
  expect(requests).toHaveLength(5);
  await lake.close();
}, 30_000);

test("devices are told to forget with their next hello, by a signed command without the entity", async () => {
  const site = await withModel();
  const device = await enroll(site, "dev");
  await site.take({ seq: 0 });
  await site.call("POST", "/v1/predictions/erasures", { entity: "station-1" });
  const hello = await site.fleet.answer(device.agent, {
    id: "0".repeat(16),
    kind: "hello",
    nonce: "0".repeat(32),
    abilities: { capability: 3, agent: "0.1.0", runtime: "t", opset: 21, kernelAbi: 1, backends: ["node-cpu"] },
    labels: {},
    rev: 0,
    streams: [],
  });
  const [command] = JSON.parse(hello).commands;
  const payload = JSON.parse(command.payload);
  expect(payload).toMatchObject({
    kind: "erase",
    agent: "dev",
    model: null,
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(hello).not.toContain("station-1");
  await site.fleet.commandDone("dev", { id: payload.id, rows: 7, why: null });
  await site.fleet.commandDone("dev", { id: payload.id, rows: 9, why: null });
  const { body } = await site.call("GET", "/v1/predictions/erasures");
  expect(body).toMatchObject({ erasures: [{ devices: [{ agent: "dev", state: "done", rows: 7 }] }] });
  expect(sinkList.parse((await site.call("GET", "/v1/sinks")).body)).toEqual({ sinks: [] });
});
