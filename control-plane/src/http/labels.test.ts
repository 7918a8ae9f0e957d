/** Labels, performance and metrics over HTTP, with the real lake and its threads. */
import { harm, type LabelsAnswer, labelStatus, metricList, performance } from "@vedette/protocol/labels-api";
import { expect, test } from "vitest";
import { epoch } from "../../test/batches.ts";
import { makeBundle } from "../../test/bundle.ts";
import { noon } from "../../test/clock.ts";
import { type RecordsSite, startRecordsSite } from "../../test/records-site.ts";
import { initialiseTrust, publish } from "../../test/site.ts";

/** Rows of the test's batches say dry, rain, dry, rain, … and 10, 11, 12 degrees. */
async function withModel(): Promise<RecordsSite> {
  const site = await startRecordsSite();
  await publish(site, await initialiseTrust(site), [makeBundle("rain", "one")]);
  return site;
}
/** The lake of these tests goes by the real time. */
const longAgo = Date.UTC(2020, 0, 1);
const idOf = (n: number) => `dev.rain.${epoch}.${n}`;
const ndjson = { "content-type": "application/x-ndjson" };
async function post(site: RecordsSite, lines: readonly object[]): Promise<LabelsAnswer> {
  const { status, body } = await site.call("POST", "/v1/labels", lines);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body as LabelsAnswer;
}
const rowsOf = async (site: RecordsSite, query = "") =>
  performance.parse((await site.call("GET", `/v1/performance?model=rain${query}`)).body).rows;
const statusOf = async (site: RecordsSite) =>
  labelStatus.parse((await site.call("GET", "/v1/labels")).body).models.find(({ model }) => model === "rain");

test("[U5] labels join by id, by request and by entity and time, also those that come before their predictions", async () => {
  const site = await withModel();
  const early = await post(site, [
    { id: idOf(0), label: "dry" },
    { model: "rain", entity: "station-1", time: new Date(noon).toISOString(), label: "dry" },
    { model: "rain", request: "alone", label: 1 },
    { model: "rain", request: "three rows", label: "rain" },
    { id: idOf(999), label: "rain" },
  ]);
  expect(early).toMatchObject({ lines: 5, stored: 5, repeated: 0, corrected: 0, unknownClasses: [] });
  expect(await statusOf(site)).toMatchObject({ labels: 5, joined: 0, waiting: 5, predictions: 0 });
  await site.take(
    { seq: 0, columns: { request: ["text", [null, null, "alone"]] } },
    { seq: 1, columns: { request: ["text", ["three rows", "three rows", "three rows"]] } },
  );
  const status = await statusOf(site);
  // station-1 stands in both batches, at the same time: the truth is of both.
  expect(status).toMatchObject({ labels: 5, joined: 3, waiting: 1, ambiguous: 1, predictions: 6, labelled: 4 });
  // 0 dry and dry, 1 and 4 rain and dry, 2 dry and rain (by its number).
  const [row] = await rowsOf(site);
  expect(row).toMatchObject({ version: 3, predictions: 6, labelled: 4, measure: "accuracy", estimate: 0.25 });
  expect(row?.interval?.low).toBeLessThan(0.2);
});

test("[U6] said again nothing happens, another label corrects, and an older one that comes late changes nothing", async () => {
  const site = await withModel();
  await site.take({ seq: 0 });
  const at = (minute: number) => new Date(longAgo + minute * 60_000).toISOString();
  await post(site, [{ id: idOf(0), label: "rain", at: at(1) }]);
  expect((await rowsOf(site))[0]?.estimate).toBe(0);
  expect(await post(site, [{ id: idOf(0), label: "rain", at: at(1) }])).toMatchObject({ repeated: 1, stored: 0 });
  expect(await post(site, [{ id: idOf(0), label: "dry", at: at(3) }])).toMatchObject({ corrected: 1 });
  expect((await rowsOf(site))[0]?.estimate).toBe(1);
  expect(await post(site, [{ id: idOf(0), label: "hail", at: at(2) }])).toMatchObject({
    outdated: 1,
    unknownClasses: ["hail"],
  });
  expect((await rowsOf(site))[0]?.estimate).toBe(1);
  expect(await statusOf(site)).toMatchObject({ labels: 1, corrected: 1 });
});

test("[U7] NDJSON and arrays are read alike; a line that does not fit is named, and none of its request is taken", async () => {
  const site = await withModel();
  const lines = [
    { id: idOf(0), label: "dry" },
    { id: "no prediction", label: "dry" },
    { model: "rain", entity: "station-1", label: "dry" },
    { id: idOf(1), lable: "dry" },
  ];
  for (const [body, headers] of [
    [lines, {}],
    [new TextEncoder().encode(lines.map((line) => JSON.stringify(line)).join("\n\n")), ndjson],
  ] as const) {
    const { status, body: answer } = await site.call("POST", "/v1/labels", body, headers);
    expect(status).toBe(400);
    const { message } = (answer as { error: { message: string } }).error;
    expect(message).toMatch(/line [23]: id is no prediction's.*line [35]: entity and time go together.*line [47]: /);
  }
  expect(await statusOf(site)).toBeUndefined();
  const good = new TextEncoder().encode(
    `${JSON.stringify(lines[0])}\n\n${JSON.stringify({ id: idOf(1), label: 0 })}\n`,
  );
  expect((await site.call("POST", "/v1/labels", good, ndjson)).body).toMatchObject({ stored: 2 });
  expect((await site.call("POST", "/v1/labels", good, { "content-type": "text/csv" })).status).toBe(422);
  const { body } = await site.call("GET", "/v1/audit?action=label.add");
  const { entries } = body as { entries: { subject: string; detail: object }[] };
  expect(entries).toHaveLength(1);
  expect(entries[0]).toMatchObject({ subject: "rain", detail: { lines: 2, stored: 2 } });
});

test("the ranges of a number come in its order, the lowest first", async () => {
  const site = await withModel();
  await site.take({ seq: 0, count: 8 });
  const slices = (await rowsOf(site, "&by=field:temp")).map(({ slice }) => slice);
  expect(slices).toEqual([
    expect.stringMatching(/^below 1\d/),
    ...Array.from({ length: slices.length - 2 }, () => expect.stringMatching(/^1\d to below 1\d/)),
    expect.stringMatching(/^1\d and more$/),
  ]);
});

test("[U8] performance is told by slice of device, label, field and time, labelled or not", async () => {
  const site = await withModel();
  await site.take({ seq: 0, agent: "a" }, { seq: 0, agent: "b" }, { seq: 1, agent: "b" });
  await post(site, [
    { id: `a.rain.${epoch}.0`, label: "dry" },
    { id: `a.rain.${epoch}.1`, label: "rain" },
    { id: `b.rain.${epoch}.0`, label: "rain" },
  ]);
  expect(await rowsOf(site, "&by=device")).toMatchObject([
    { slice: "a", predictions: 3, labelled: 2, estimate: 1 },
    { slice: "b", predictions: 6, labelled: 1, estimate: 0 },
  ]);
  expect(await rowsOf(site, "&by=field:temp")).toMatchObject([
    { slice: "10 to below 11", predictions: 3, labelled: 2, estimate: 0.5 },
    { slice: "11 to below 12", predictions: 3, labelled: 1, estimate: 1 },
    { slice: "12 and more", predictions: 3, labelled: 0, estimate: null, interval: null },
  ]);
  expect(await rowsOf(site, "&by=label:city")).toMatchObject([{ slice: null, predictions: 9 }]);
  expect(await rowsOf(site, "&everyDays=1")).toMatchObject([{ from: "2026-11-23", predictions: 9, labelled: 3 }]);
  expect((await site.call("GET", "/v1/performance?model=rain&by=field:snow")).status).toBe(404);
  expect((await site.call("GET", "/v1/performance?model=nobody")).status).toBe(404);
});

test("[U9] errors of a regression are measured on a stated scale, and asked for one where none is known", async () => {
  const site = await withModel();
  const count = 4;
  const columns = { "out:value": ["f64", Float64Array.of(10, 10, 10, 10)] } as const;
  const made = {
    seq: 0,
    count,
    columns: { ...columns, "out:label": ["u16", Uint16Array.of(65535, 65535, 65535, 65535)] },
  };
  await site.take(made as never);
  const truths = [11, 8, 1000, "soon"];
  await post(
    site,
    truths.map((label, n) => ({ id: idOf(n), label })),
  );
  const refused = await site.call("GET", "/v1/performance?model=rain");
  expect(refused).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining("scale") } } });
  const [absolute] = await rowsOf(site, "&scale=20");
  expect(absolute).toMatchObject({ measure: "absolute_error", labelled: 4, unreadable: 1, scale: 20 });
  expect(absolute?.estimate).toBeCloseTo((1 + 2 + 20) / 3, 9);
  const [squared] = await rowsOf(site, "&scale=20&error=squared");
  expect(squared?.estimate).toBeCloseTo((1 + 4 + 400) / 3, 9);
});

test("[U10] harm is told with its numbers: by earlier labels where they are enough, and only of the devices asked about", async () => {
  const site = await withModel();
  const count = 400;
  const ofAgent = (agent: string, seq: number, time: number) => ({
    ...{ agent, seq, count, firstN: seq * count },
    columns: { time: ["f64", new Float64Array(count).fill(time)] as ["f64", Float64Array] },
  });
  const since = new Date(noon - 1000).toISOString();
  await site.take(ofAgent("a", 0, noon - 60_000), ofAgent("a", 1, noon), ofAgent("b", 0, noon));
  const labels = (agent: string, from: number, wrong: (n: number) => boolean) =>
    Array.from({ length: count }, (_, i) => {
      const n = from + i;
      const said = i % 2 === 0 ? "dry" : "rain";
      return { id: `${agent}.rain.${epoch}.${n}`, label: wrong(i) === (said === "dry") ? "rain" : "dry" };
    });
  const ask = async (more = "") =>
    harm.parse((await site.call("GET", `/v1/performance/harm?model=rain&version=3&since=${since}${more}`)).body);
  expect(await ask()).toMatchObject({ verdict: "unknown", now: { n: 0, mean: null }, before: null });
  await post(site, [...labels("a", 0, (i) => i % 10 === 0), ...labels("a", count, (i) => i % 10 === 0)]);
  expect(await ask("&tolerance=0.2")).toMatchObject({
    verdict: "benign",
    before: { from: "earlier_labels", n: count },
  });
  await post(
    site,
    labels("b", 0, (i) => i % 2 === 0),
  );
  const both = await ask();
  expect(both).toMatchObject({ verdict: "harmful", now: { n: 800 } });
  expect(both.why).toContain("over the tolerance");
  expect(both.difference?.low).toBeGreaterThan(0.05);
  expect((await site.call("GET", `/v1/performance/harm?model=rain&since=${since}&label=city=x`)).status).toBe(404);
});

test("[U11] labels of an erased entity go with its rows: told before, by any key, and those that come later", async () => {
  const site = await withModel();
  const line = (label: string) => ({ model: "rain", entity: "station-1", time: longAgo, label });
  await site.take({ seq: 0, columns: { request: ["text", [null, "mine", null]] } }, { seq: 1 });
  await post(site, [{ id: idOf(1), label: "dry" }, { id: idOf(2), label: "dry" }, line("rain")]);
  await post(site, [{ model: "rain", request: "mine", label: "dry" }]);
  await site.call("POST", "/v1/metrics", { model: "rain", entity: "station-1", name: "cost", value: 3, at: longAgo });
  await site.call("POST", "/v1/predictions/erasures", { entity: "station-1" });
  expect(await statusOf(site)).toMatchObject({ labels: 1, joined: 1, erased: 3 });
  expect((await site.call("GET", "/v1/metrics")).body).toMatchObject({ metrics: [] });
  expect(await post(site, [line("rain"), { id: idOf(4), label: "dry" }])).toMatchObject({ stored: 1, erased: 1 });
  await site.call("POST", "/v1/predictions/flush");
  expect(await statusOf(site)).toMatchObject({ labels: 1, joined: 1, erased: 5 });
});

test("[U12] business metrics count once each, and belong to the version that answered last before them", async () => {
  const site = await withModel();
  await site.take({ seq: 0 });
  const base = { model: "rain", name: "umbrellas.sold" };
  const lines = Array.from({ length: 40 }, (_, i) => ({
    ...base,
    id: `m${i}`,
    device: "dev",
    value: i % 2,
    at: noon + i,
  }));
  const send = async (body: unknown) => (await site.call("POST", "/v1/metrics", body)).body;
  expect(await send(lines)).toMatchObject({ lines: 40, stored: 40, repeated: 0 });
  expect(await send(lines)).toMatchObject({ stored: 0, repeated: 40 });
  expect(await send({ ...base, version: 7, value: 5, at: new Date(noon).toISOString() })).toMatchObject({ stored: 1 });
  expect(await send({ ...base, value: 9, device: "dev", at: noon - 86_400_000 })).toMatchObject({ stored: 1 });
  const { metrics } = metricList.parse((await site.call("GET", "/v1/metrics?model=rain")).body);
  expect(metrics).toMatchObject([
    { version: null, n: 1, mean: 9, interval: null },
    { version: 3, n: 40, mean: 0.5, interval: { low: expect.any(Number), high: expect.any(Number) } },
    { version: 7, n: 1, mean: 5 },
  ]);
  expect((await site.call("POST", "/v1/metrics", { ...base, value: 5 })).status).toBe(400);
  // What would leave no mean for the others, nor a date that readers know.
  for (const wrong of [
    { value: 1e308, at: noon },
    { value: 1, at: 8.64e15 },
  ])
    expect((await site.call("POST", "/v1/metrics", { ...base, ...wrong })).status).toBe(400);
});
