/** A server elsewhere, watched end to end: its logger, the control plane with the real lake, and the command line. */
import { copyFile, cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { Production } from "@vedette/protocol/production-api";
import type { Watch } from "@vedette/protocol/watch-api";
import { CloudEvent, HTTP } from "cloudevents";
import { expect, onTestFinished, test, vi } from "vitest";
import { vedetteOf } from "../../test/commands.ts";
import { startInferenceServer } from "../../test/kserve.ts";
import { enroll, initialiseTrust, startSite } from "../../test/site.ts";
import { openLake } from "../lake/open-lake.ts";
import { systemClock } from "../system-clock.ts";

vi.setConfig({ testTimeout: 60_000 });

const linear = fileURLToPath(new URL("../../../fixtures/models/written/linear.onnx", import.meta.url));
/** Two numbers that a model was trained on, by turns. */
const trained = (i: number) => [(i * 37) % 50, (i * 11) % 7] as const;

async function ready(over: { home?: string } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "vedette-watch-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const site = await startSite({
    ...over,
    parts: {
      openLake: (options) => openLake({ ...options, clock: systemClock }),
    },
  });
  await copyFile(join(site.home, "operator.token"), join(folder, "operator.token"));
  const rows = Array.from({ length: 1000 }, (_, i) => `${trained(i).join(",")},${i % 3 === 0 ? "yes" : "no"}`);
  await writeFile(join(folder, "train.csv"), `torque,wear,failed\n${rows.join("\n")}\n`);
  const vedette = vedetteOf(site, folder);
  const ok = async (...args: string[]) => {
    const ran = await vedette(...args);
    expect({ args, code: ran.code, err: ran.code === 0 ? "" : ran.err }).toEqual({ args, code: 0, err: "" });
    return ran;
  };
  const add = () => ok("watch", "add", "--name", "pump", "--reference", join(folder, "train.csv"), "--label", "failed");
  const sql = async (query: string) =>
    ((await ok("prediction", "query", "--sql", query, "--json")).json() as { rows: unknown[][] }).rows;
  const list = async () => ((await ok("watch", "list", "--json")).json() as { watches: Watch[] }).watches;
  const ingest = async () => {
    const made = await ok("operator", "add", "logger", "--role", "ingest", "--json");
    return (made.json() as { token: string }).token;
  };
  const post = async (headers: Record<string, string>, body: string) => {
    const answer = await fetch(`${site.url}/v1/watch/pump`, { method: "POST", headers, body });
    return {
      status: answer.status,
      body: (await answer.json()) as { accepted: number; repeated: number; refused: unknown[] },
    };
  };
  return { folder, site, vedette, ok, add, sql, list, ingest, post };
}

test("[Z16] what KServe's logger posts is in the prediction log, request and response together, once", async () => {
  const { site, ok, add, sql, ingest } = await ready();
  await add();
  const token = await ingest();
  const url = new URL(`${site.url}/v1/watch/pump`);
  Object.assign(url, { username: "logger", password: token });
  const server = await startInferenceServer((path, body) => {
    if (path.startsWith("/v1/")) return { predictions: (body as { instances: unknown[] }).instances.map(() => "no") };
    const data = [0.9, 0.1, 0.2, 0.8];
    return { model_name: "pump", id: "x", outputs: [{ name: "p", shape: [2, 2], datatype: "FP32", data }] };
  }, url.href);
  const ask = (path: string, body: unknown, headers = {}) =>
    fetch(server.url + path, { method: "POST", body: JSON.stringify(body), headers });
  // curl says of what it posts that it is a form, and so does KServe's logger then.
  await ask(
    "/v1/models/pump:predict",
    { instances: [[1, 2]] },
    { "content-type": "application/x-www-form-urlencoded" },
  );
  const inputs = [
    {
      name: "x",
      shape: [2, 2],
      datatype: "FP32",
      data: [
        [3, 4],
        [5, 6],
      ],
    },
  ];
  await ask("/v2/models/pump/infer", { inputs }, { "ce-id": "asked-once", "content-type": "application/json" });
  await ask("/v2/models/pump/infer", { inputs }, { "ce-id": "asked-once", "content-type": "application/json" });
  await server.idle();
  expect(server.logged).toEqual([200, 200, 200, 200, 200, 200]);
  expect(
    await sql("SELECT in_torque, in_wear, label, round(confidence::DOUBLE, 3) FROM predictions ORDER BY in_torque"),
  ).toEqual([
    [1, 2, "no", null],
    [3, 4, "no", 0.9],
    [5, 6, "yes", 0.8],
  ]);
  expect(await sql("SELECT DISTINCT agent, model, source FROM predictions")).toEqual([["watch", "pump", "model"]]);
  expect((await sql("SELECT request FROM predictions WHERE in_torque > 2")).flat()).toEqual([
    "asked-once",
    "asked-once",
  ]);
  expect((await ok("production")).out).toMatch(/pump, served elsewhere: watched[\s\S]*answers +3 stored/);
  expect((await ok("prediction", "counts")).out).toContain("pump");
});

test("[Z17] the token of a logger opens this way in alone, and without one nothing is taken", async () => {
  const { site, add, ingest, post, ok } = await ready();
  await add();
  const token = await ingest();
  const line = `{"id":"1","inputs":[1,2],"label":"no"}\n`;
  const type = { "content-type": "application/x-ndjson" };
  const bearer = { ...type, authorization: `Bearer ${token}` };
  expect((await post(type, line)).status).toBe(401);
  expect((await post({ ...type, authorization: `Basic ${btoa("x:wrong")}` }, line)).status).toBe(401);
  expect(await post(bearer, line)).toMatchObject({ status: 200, body: { accepted: 1 } });
  const viewer = ((await ok("operator", "add", "eve", "--role", "viewer", "--json")).json() as { token: string }).token;
  expect((await post({ ...type, authorization: `Bearer ${viewer}` }, line)).status).toBe(403);
  for (const [method, path] of [
    ["GET", "/v1/watches"],
    ["GET", "/v1/production"],
    ["GET", "/v1/devices"],
    ["POST", "/v1/predictions/query"],
    ["DELETE", "/v1/watches/pump"],
    ["GET", "/metrics"],
  ] as const)
    expect([path, (await site.call(method, path, undefined, bearer)).status]).toEqual([path, 403]);
  // A password is no way in elsewhere.
  const basic = { authorization: `Basic ${btoa(`admin:${token}`)}` };
  expect((await site.call("GET", "/v1/whoami", undefined, basic)).status).toBe(401);
});

test("[Z18] every mode of CloudEvents and lines of JSON are read; what does not fit is refused by name, and the rest is kept", async () => {
  const { site, add, sql, list, post } = await ready();
  await add();
  const auth = { authorization: `Bearer ${await tokenOf(site)}` };
  const event = (id: string, type: "request" | "response", data: unknown) =>
    new CloudEvent({
      id,
      source: "/s",
      type: `org.kubeflow.serving.inference.${type}`,
      datacontenttype: "application/json",
      data,
    });
  const send = (message: { headers: unknown; body: unknown }) =>
    post({ ...(message.headers as Record<string, string>), ...auth }, message.body as string);
  // The answer first: halves come in any order.
  expect((await send(HTTP.structured(event("s", "response", { predictions: [1] })))).body.accepted).toBe(1);
  expect(
    (await send(HTTP.structured(event("s", "request", { instances: [{ wear: 2, torque: 1 }] })))).body.accepted,
  ).toBe(1);
  const batch = [
    event("b", "request", { instances: [[3, null]] }),
    event("b", "response", { predictions: [[0.25, 0.75]] }),
    event("bad", "request", { instances: [[3]] }),
    new CloudEvent({ id: "other", source: "/s", type: "org.example.hello", data: {} }),
  ];
  const batched = { "content-type": "application/cloudevents-batch+json", ...auth };
  expect(await post(batched, JSON.stringify(batch))).toMatchObject({
    status: 200,
    body: {
      accepted: 2,
      repeated: 0,
      refused: [
        { id: "bad", why: "instance 0 has 1 values, and a row has 2: torque, wear" },
        { id: "other", why: expect.stringContaining("org.example.hello") },
      ],
    },
  });
  expect((await post(batched, JSON.stringify(batch))).body).toMatchObject({ accepted: 0, repeated: 2 });
  const lines = [
    `{"id":"r1","time":"2026-11-23T10:00:00+01:00","entity":"pump-7","inputs":{"torque":5,"wear":6},"scores":{"no":0.1,"yes":0.9},"latencyMs":2.5}`,
    `not json`,
    `{"id":"r2","inputs":{"nonsense":5}}`,
    `{"id":"r3","label":"yes"}`,
  ];
  const rows = { "content-type": "application/x-ndjson", ...auth };
  expect((await post(rows, lines.join("\n"))).body).toMatchObject({
    accepted: 2,
    refused: [
      { id: null, why: "line 2 is not JSON" },
      { id: "r2", why: /nonsense|fields/ },
    ].map((one) => ({
      ...one,
      why: expect.stringMatching(one.why),
    })),
  });
  expect(await post({ "content-type": "text/plain", ...auth }, "hello")).toMatchObject({ status: 400 });
  expect(await post(rows, `{"id":"r9","inputs":{"nonsense":5}}`)).toMatchObject({ status: 400 });
  expect(
    await sql("SELECT in_torque, in_wear, label, entity, latency_ms FROM predictions ORDER BY in_torque NULLS LAST"),
  ).toEqual([
    [1, 2, "yes", null, null],
    [3, null, "yes", null, null],
    [5, 6, "yes", "pump-7", 2.5],
    [null, null, "yes", null, null],
  ]);
  expect(await sql("SELECT time::VARCHAR FROM predictions WHERE entity = 'pump-7'")).toEqual([["2026-11-23 09:00:00"]]);
  expect(await list()).toMatchObject([{ predictions: 4, refused: 7, waiting: 0 }]);
});

test("[Z19] a half that stays alone is kept after ten minutes; a restart loses and doubles nothing", async () => {
  const first = await ready();
  await first.add();
  const auth = { authorization: `Bearer ${await tokenOf(first.site)}` };
  const rows = { "content-type": "application/x-ndjson", ...auth };
  const request = new CloudEvent({
    ...{ id: "alone", source: "/s", type: "org.kubeflow.serving.inference.request" },
    data: { instances: [[7, 1]] },
  });
  const alone = HTTP.structured(request);
  await first.post({ ...(alone.headers as Record<string, string>), ...auth }, alone.body as string);
  const line = (id: string, torque: number) => JSON.stringify({ id, inputs: [torque, 1], label: "no" });
  await first.post(rows, [line("a", 1), line("b", 2)].join("\n"));
  expect(await first.sql("SELECT in_torque FROM predictions ORDER BY 1")).toEqual([[1], [2]]);
  await first.post(rows, line("c", 3));
  await first.site.close();

  const again = await ready({ home: first.site.home });
  expect((await again.post(rows, [line("a", 1), line("c", 3), line("d", 4)].join("\n"))).body).toMatchObject({
    accepted: 1,
    repeated: 2,
  });
  expect(await again.sql("SELECT in_torque FROM predictions ORDER BY 1")).toEqual([[1], [2], [3], [4]]);
  again.site.clock.advance(10 * 60_000);
  expect(await again.sql("SELECT in_torque, label FROM predictions WHERE in_torque = 7")).toEqual([[7, null]]);
  expect((await again.list())[0]?.predictions).toBe(5);
});

test("[Z19] what the log lost by a restored backup, and was handed over within the hour, is handed over again", async () => {
  const first = await ready();
  await first.add();
  await first.site.close();
  const lake = join(first.site.home, "data", "lake");
  await cp(lake, `${lake}.backup`, { recursive: true });
  const open = await ready({ home: first.site.home });
  const rows = { "content-type": "application/x-ndjson", authorization: `Bearer ${await tokenOf(open.site)}` };
  await open.post(rows, `{"id":"a","inputs":[1,1],"label":"no"}`);
  expect(await open.sql("SELECT in_torque FROM predictions")).toEqual([[1]]);
  await open.site.close();
  await rm(lake, { recursive: true });
  await rename(`${lake}.backup`, lake);
  const again = await ready({ home: first.site.home });
  expect(await again.sql("SELECT in_torque FROM predictions")).toEqual([[1]]);
});

test("[Z18] what names few of many fields is no way to more memory: a request has so many values and no more", async () => {
  const { add, ingest, post, list } = await ready();
  await add();
  const authorization = `Bearer ${await ingest()}`;
  const event = (id: string, rows: number) => ({
    ...{ specversion: "1.0", id, type: "org.kubeflow.serving.inference.request" },
    data: { inputs: [{ name: "torque", shape: [rows], datatype: "FP32", data: new Array(rows).fill(1) }] },
  });
  const send = (...events: object[]) =>
    post({ authorization, "content-type": "application/cloudevents-batch+json" }, JSON.stringify(events));
  const many = Array.from({ length: 51 }, (_, i) => event(`m${i}`, 10_000));
  expect((await send(...many)).status).toBe(413);
  expect((await list())[0]).toMatchObject({ predictions: 0, waiting: 0 });
  expect((await send(...many.slice(0, 2))).body).toMatchObject({ accepted: 2, refused: [] });
});

test("[Z22] who is erased from the log is in no batch on its way there either", async () => {
  const { site, folder, add, ok, post, sql } = await ready();
  await add();
  const headers = { "content-type": "application/x-ndjson", authorization: `Bearer ${await tokenOf(site)}` };
  await post(headers, `{"id":"a","time":"2026-01-01T00:00:00Z","entity":"customer-41","inputs":[1,1],"label":"no"}`);
  await writeFile(join(folder, "customer.txt"), "customer-41");
  await ok("prediction", "erase", "--entity-file", join(folder, "customer.txt"));
  expect(await sql("SELECT entity, in_torque, erased FROM predictions")).toEqual([[null, null, true]]);
  await site.close();
  const database = new DatabaseSync(join(site.home, "data", "vedette.db"));
  const { events } = database.prepare("SELECT count(request) AS events FROM watch_events").get() ?? {};
  const { frames } = database.prepare("SELECT count(*) AS frames FROM watch_frames").get() ?? {};
  database.close();
  expect({ events, frames }).toEqual({ events: 0, frames: 0 });
});

test("[Z20] drift of what a server elsewhere is asked is computed here, told by production, and an alert", async () => {
  const { folder, site, ok, add, list, vedette } = await ready();
  await add();
  const file = join(folder, "asked.ndjson");
  const write = (shift: number) =>
    writeFile(
      file,
      Array.from({ length: 400 }, (_, i) => {
        const [torque, wear] = trained(i);
        return JSON.stringify({ inputs: { torque: torque + shift, wear }, label: "no" });
      }).join("\n"),
    );
  await write(0);
  expect((await ok("watch", "import", file, "--name", "pump")).out).toContain("400 predictions taken");
  expect((await ok("watch", "import", file, "--name", "pump")).out).toContain("0 predictions taken, 400 were known");
  await ok("prediction", "query");
  expect((await list())[0]?.drift).toMatchObject({ verdict: "none", rows: 100 });
  expect((await ok("alert", "list")).out).toBe("No alerts.\n");
  await write(30);
  await ok("watch", "import", file, "--name", "pump");
  await ok("prediction", "query");
  const [watch] = ((await ok("production", "--json")).json() as Production).watched ?? [];
  expect(watch).toMatchObject({ predictions: 800, drift: { verdict: "drift" } });
  const verdicts = watch?.drift?.fields.map(({ name, verdict }) => [name, verdict]);
  expect(verdicts).toEqual([
    ["torque", "drift"],
    ["wear", "none"],
  ]);
  expect((await ok("production")).out).toMatch(/watched, inputs DRIFT[\s\S]*drift +torque \(PSI/);
  expect((await ok("alert", "list")).out).toMatch(/warning +firing .*VedetteDrift +model=pump served=elsewhere/);
  await ok("watch", "remove", "--name", "pump");
  expect(await vedette("watch", "import", file, "--name", "pump")).toMatchObject({
    code: 1,
    err: expect.stringContaining("not watched"),
  });
  expect(site.url).toBeDefined();
});

test("a published model is watched as one of its versions, whose answers production counts", async () => {
  const { folder, ok, site, post, vedette } = await ready();
  await ok("keys", "init");
  await copyFile(linear, join(folder, "model.onnx"));
  await ok(
    "model",
    "publish",
    "--name",
    "pump",
    "--model",
    join(folder, "model.onnx"),
    "--reference",
    join(folder, "train.csv"),
    "--features",
    "torque,wear",
  );
  const byData = await vedette("watch", "add", "--name", "pump", "--reference", join(folder, "train.csv"));
  expect(byData).toMatchObject({ code: 1, err: expect.stringContaining("watch it by its version") });
  expect(await vedette("watch", "add", "--name", "pump", "--version", "7")).toMatchObject({ code: 1 });
  await ok("watch", "add", "--name", "pump", "--version", "1");
  expect(await vedette("watch", "add", "--name", "pump", "--version", "1")).toMatchObject({ code: 1 });
  const headers = { "content-type": "application/x-ndjson", authorization: `Bearer ${await tokenOf(site)}` };
  await post(headers, `{"id":"1","inputs":[1,2],"value":3}`);
  await ok("prediction", "query");
  const { models } = (await ok("production", "--json")).json() as Production;
  expect(models[0]?.versions[0]).toMatchObject({ version: 1, predictions: 1 });
});

test("no device takes the name that watched models are logged under", async () => {
  const { site } = await ready();
  await initialiseTrust(site);
  await expect(enroll(site, "watch")).rejects.toThrow("no device is called watch");
});

async function tokenOf(site: { readonly home: string }): Promise<string> {
  return (await readFile(join(site.home, "operator.token"), "utf8")).trim();
}

test("a label of 0 and 1 names classes; of other numbers it does when the task says so, and a refusal tells", async () => {
  const { folder, ok, vedette, ingest, post } = await ready();
  const file = join(folder, "numbers.csv");
  const rows = Array.from({ length: 300 }, (_, i) => `${trained(i).join(",")},${i % 2},${i % 3}`);
  await writeFile(file, `torque,wear,failed,grade\n${rows.join("\n")}\n`);
  const headers = { authorization: `Bearer ${await ingest()}`, "content-type": "application/x-ndjson" };
  const scored = (id: string) => JSON.stringify({ id, inputs: { torque: 1, wear: 2 }, scores: { "0": 0.8, "1": 0.2 } });

  const add = ["watch", "add", "--name", "pump", "--reference", file, "--features", "torque,wear", "--label"];
  await ok(...add, "grade");
  const refused = await post(headers, scored("a"));
  expect(JSON.stringify(refused.body)).toContain("--task classification");
  await ok("watch", "remove", "--name", "pump");
  await ok(...add, "failed");
  expect((await post(headers, scored("b"))).body).toMatchObject({ accepted: 1, refused: [] });
  await ok("watch", "remove", "--name", "pump");
  expect((await vedette(...add, "grade", "--task", "classification")).code).toBe(0);
  expect((await post(headers, scored("c"))).body).toMatchObject({ accepted: 1, refused: [] });
});
