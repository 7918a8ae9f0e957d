import type { Reported } from "@vedette/protocol/messages";
import { describe, expect, test } from "vitest";
import { makeBundle, type TestBundle } from "../../test/bundle.ts";
import { abilities, enroll, hello, initialiseTrust, publish, type Site, startSite } from "../../test/site.ts";

const refused = (code: string) => ({ body: { error: { code } } });
const one = makeBundle("rain", "one");
const two = makeBundle("rain", "two", { opset: 19 });

async function ready() {
  const site = await startSite();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [one]);
  await publish(site, operator, [one, two]);
  const assign = (version: number | null, selector: unknown = { all: true }) =>
    site.call("POST", "/v1/assignments", { model: "rain", version, selector });
  return { site, operator, assign };
}
function report(
  agent: string,
  { digest }: TestBundle,
  served: number,
  over: Partial<Reported["slots"][number]> = {},
): Reported {
  const serving = { digest, release: 1 };
  const sources = { model: served, rule: 2 };
  const slot = {
    model: "rain",
    serving,
    previous: null,
    candidate: null,
    served,
    drift: [],
    sources,
    reasons: {},
    ...over,
  };
  return { agent, rev: 1, at: 0, abilities, labels: {}, slots: [slot] };
}
const digests = async (site: Site, agent: string, over = {}) =>
  (await hello(site, agent, over)).assignment?.slots.map(({ digest }) => digest);

describe("standing rules", () => {
  test("devices that join or change their labels later follow; the latest matching rule counts", async () => {
    const { site, assign } = await ready();
    await enroll(site, "gauge-1", { city: "seattle" });
    expect(await assign(1)).toMatchObject({ body: { devices: ["gauge-1"], version: 1, digest: one.digest } });
    await assign(2, { labels: { city: "seattle" } });
    await enroll(site, "gauge-2", { city: "seattle" });
    await enroll(site, "gauge-3");
    expect(await digests(site, "gauge-2")).toEqual([two.digest]);
    expect(await digests(site, "gauge-3")).toEqual([one.digest]);
    expect(await digests(site, "gauge-3", { labels: { city: "seattle" } })).toEqual([two.digest]);
    // A device cannot talk itself out of what its token says.
    expect(await digests(site, "gauge-2", { labels: { city: "boston" } })).toEqual([two.digest]);
    await assign(null);
    expect(await digests(site, "gauge-2")).toEqual([]);
  });

  test("[S13] changed devices get a hint; revisions grow with changes only, and never fall behind a device", async () => {
    const { site, assign } = await ready();
    await enroll(site, "gauge-1");
    const empty = await hello(site, "gauge-1");
    await assign(1);
    const first = await hello(site, "gauge-1");
    expect(first.assignment?.rev).toBeGreaterThan(empty.assignment?.rev ?? 0);
    expect(site.hints).toEqual([{ agent: "gauge-1", rev: first.assignment?.rev }]);
    await assign(1);
    expect((await hello(site, "gauge-1")).assignment?.rev).toBe(first.assignment?.rev);
    const ahead = (first.assignment?.rev ?? 0) + 1000;
    expect((await hello(site, "gauge-1", { rev: ahead })).assignment?.rev).toBe(ahead + 1);
    expect(site.hints).toHaveLength(1);
  });

  test("[Q55] a device whose heartbeat shows that it missed a hint gets another, and one that missed none does not", async () => {
    const { site, assign } = await ready();
    await enroll(site, "gauge-1");
    await assign(1);
    const { rev } = (await hello(site, "gauge-1")).assignment ?? { rev: 0 };
    const beat = { at: 0, spoolBatches: 0, bytesSent: 0, bytesReceived: 0 };
    site.hints.length = 0;
    await site.fleet.heartbeat("gauge-1", { ...beat, rev });
    expect(site.hints).toEqual([]);
    await site.fleet.heartbeat("gauge-1", { ...beat, rev: rev - 1 });
    expect(site.hints).toEqual([{ agent: "gauge-1", rev }]);
  });

  test("the answer names the nonce asked with", async () => {
    const { site } = await ready();
    await enroll(site, "gauge-1");
    const { assignment } = await hello(site, "gauge-1", { nonce: "cd".repeat(16) });
    expect(assignment).toMatchObject({
      site: "test",
      agent: "gauge-1",
      nonce: "cd".repeat(16),
      issued: site.clock.now(),
    });
  });
});

describe("what is never assigned", () => {
  test("[N8] a version that a device lacks the means for, named device by device; what it serves is counted in the lake", async () => {
    const { site, assign } = await ready();
    await enroll(site, "old");
    await enroll(site, "new");
    await hello(site, "old", { abilities: { ...abilities, opset: 17 } });
    await hello(site, "new");
    const answer = await assign(2, { devices: ["old", "new"] });
    expect(answer).toMatchObject({ status: 422, ...refused("unsupported") });
    expect(JSON.stringify(answer.body)).toContain("old lacks opset 19 (has 17)");
    await assign(1);
    await site.fleet.reported("old", report("old", one, 5));
    expect(await assign(2)).toMatchObject({ body: { devices: ["new"] } });
    // It keeps what it serves, and production says why; predictions are those of the lake, whatever a device says.
    site.counts.push(
      { model: "rain", digest: one.digest, source: "model", rows: 9 },
      { model: "rain", digest: one.digest, source: "rule", rows: 2 },
      { model: "rain", digest: null, source: "none", rows: 3 },
      { model: "hail", digest: null, source: "none", rows: 4 },
    );
    expect(await digests(site, "old", { abilities: { ...abilities, opset: 17 } })).toEqual([one.digest]);
    const { body } = await site.call("GET", "/v1/production");
    expect(body).toMatchObject({
      models: [
        {
          published: [1, 2],
          otherPredictions: 3,
          versions: [
            { version: 1, serving: ["old"], predictions: 11, bySource: { model: 9, cache: 0, rule: 2, none: 0 } },
            {
              version: 2,
              pending: [
                { agent: "new", state: "absent" },
                { agent: "old", state: "withheld", reason: expect.stringContaining("opset 19") },
              ],
            },
          ],
        },
      ],
    });
    // Updated, it follows the rule at its next hello.
    expect(await digests(site, "old")).toEqual([two.digest]);
  });

  test("[S8] a version below the floor, also where it was assigned before", async () => {
    const { site, operator, assign } = await ready();
    await enroll(site, "gauge-1");
    await assign(1);
    expect(await digests(site, "gauge-1")).toEqual([one.digest]);
    const metadata = [operator.targets({ version: 3, models: ["rain"], floors: { rain: 2 } })];
    expect(await site.call("PUT", "/v1/trust/metadata", { metadata })).toMatchObject({ status: 200 });
    expect(site.hints).toHaveLength(2);
    expect(await digests(site, "gauge-1")).toEqual([]);
    expect(await assign(1)).toMatchObject(refused("revoked"));
    expect(await assign(2)).toMatchObject({ status: 200 });
  });

  test("a version that its project no longer lists", async () => {
    const { site, operator, assign } = await ready();
    const listed = [{ digest: two.digest, length: two.length, release: 2 }];
    const metadata = [operator.project("rain", listed, { version: 3 })];
    expect(await site.call("PUT", "/v1/trust/metadata", { metadata })).toMatchObject({ status: 200 });
    expect(await assign(1)).toMatchObject(refused("unknown_target"));
  });

  test("models, versions and devices that are not there", async () => {
    const { assign, site } = await ready();
    expect(await assign(7)).toMatchObject(refused("not_found"));
    expect(await assign(1, { devices: ["nobody"] })).toMatchObject(refused("not_found"));
    const other = { model: "hail", version: 1, selector: { all: true } };
    expect(await site.call("POST", "/v1/assignments", other)).toMatchObject(refused("not_found"));
  });
});

describe("what devices say", () => {
  test("presence is a lease, and a farewell of another session does not count", async () => {
    const { site } = await ready();
    await enroll(site, "gauge-1");
    const online = async () => {
      const { body } = await site.call("GET", "/v1/devices");
      return JSON.parse(JSON.stringify(body)).devices[0].online;
    };
    expect(await online()).toBe(false);
    await site.fleet.presence("gauge-1", true, 2);
    await site.fleet.presence("gauge-1", false, 1);
    expect(await online()).toBe(true);
    await site.fleet.presence("gauge-1", false, 2);
    expect(await online()).toBe(false);
    await site.fleet.seen("gauge-1");
    expect(await online()).toBe(true);
    site.clock.advance(150_001);
    expect(await online()).toBe(false);
  });

  test("a device counts as serving once it answered, and its drift is named by field", async () => {
    const { site, assign } = await ready();
    await enroll(site, "gauge-1");
    await assign(1);
    await site.fleet.reported("gauge-1", report("gauge-1", one, 0));
    const asked = async () => (await site.call("GET", "/v1/production")).body;
    expect(await asked()).toMatchObject({
      models: [{ versions: [{ serving: [], pending: [{ agent: "gauge-1", state: "serving" }] }, { assignedTo: [] }] }],
    });
    const field = { n: 500, missing: 0, psi: 1, psiCritical: 0.1, ksLow: 0.3, ksHigh: 0.5 };
    const drift = [
      { name: "wind", ...field, verdict: "drift" as const },
      { name: "temp", ...field, verdict: "none" as const },
    ];
    await site.fleet.reported("gauge-1", report("gauge-1", one, 500, { drift }));
    expect(await asked()).toMatchObject({
      models: [
        {
          versions: [
            { serving: ["gauge-1"], pending: [], drift: [{ field: "wind", devices: ["gauge-1"] }] },
            { version: 2, assignedTo: [] },
          ],
        },
      ],
    });
    await expect(site.fleet.reported("gauge-1", report("gauge-2", one, 1))).rejects.toMatchObject({
      code: "wrong_device",
    });
  });
});
