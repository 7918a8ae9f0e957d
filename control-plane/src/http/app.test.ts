import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { emptyLake } from "../../test/empty-lake.ts";
import { makeKey } from "../../test/operator.ts";
import { enrollBody, initialiseTrust, makeToken, publish, startSite, trustOf } from "../../test/site.ts";

const refused = (status: number, code: string) => ({ status, body: { error: { code, message: expect.any(String) } } });

describe("who may ask", () => {
  test("[R1] everything under /v1 but joining needs the operator's token, which only its owner can read", async () => {
    const site = await startSite();
    const wrong = { authorization: `Bearer ${"x".repeat(43)}` };
    for (const path of ["/v1/trust", "/v1/models", "/v1/devices", "/v1/production", "/v1/nothing"]) {
      expect(await site.call("GET", path, undefined, wrong)).toMatchObject(refused(401, "unauthenticated"));
    }
    expect(await site.call("GET", "/health", undefined, wrong)).toEqual({
      status: 200,
      body: { live: true, site: "test" },
    });
    const mode = async (...path: string[]) => ((await stat(join(site.home, ...path))).mode & 0o777).toString(8);
    expect(await mode("operator.token")).toBe("600");
    expect(await mode("data", "online-keys", "director.pem")).toBe("600");
  });

  test("a restart keeps the token", async () => {
    const site = await startSite();
    const token = await readFile(join(site.home, "operator.token"), "utf8");
    await site.close();
    const again = await startSite({ home: site.home });
    expect(await readFile(join(again.home, "operator.token"), "utf8")).toBe(token);
  });

  test("joining is limited by address", async () => {
    const site = await startSite({ parts: { joinLimit: { burst: 2, perSecond: 1 } } });
    const ask = () => site.call("POST", "/v1/enroll", {});
    expect([(await ask()).status, (await ask()).status, (await ask()).status]).toEqual([400, 400, 429]);
    site.clock.advance(1000);
    expect([(await ask()).status, (await ask()).status]).toEqual([400, 429]);
  });

  test("pages of other origins may join, and do nothing else", async () => {
    const site = await startSite();
    const preflight = async (path: string) => {
      const headers = { origin: "https://shop.example", "access-control-request-method": "POST" };
      return (await fetch(new URL(path, site.url), { method: "OPTIONS", headers })).headers.get(
        "access-control-allow-origin",
      );
    };
    expect(await preflight("/v1/enroll")).toBe("*");
    expect(await preflight("/v1/device-token")).toBe("*");
    expect(await preflight("/v1/models")).toBeNull();
    const headers = { origin: "https://shop.example", "content-type": "application/json" };
    const failed = await fetch(new URL("/v1/enroll", site.url), { method: "POST", headers, body: "{}" });
    expect(failed.headers.get("access-control-allow-origin")).toBe("*");
    expect(failed.headers.get("access-control-expose-headers")).toBe("Date");
    expect(Date.parse(failed.headers.get("date") ?? "")).not.toBeNaN();
  });
});

describe("what is refused", () => {
  test("bodies that are too long, do not parse, do not fit, or are of another kind", async () => {
    const site = await startSite();
    const blob = `/v1/blobs/${"0".repeat(64)}`;
    expect(await site.call("PUT", blob, new Uint8Array(110 * 1024 + 1))).toMatchObject(refused(413, "too_large"));
    expect(await site.call("PUT", blob, new Uint8Array(3))).toMatchObject(refused(422, "digest_mismatch"));
    expect(await site.call("PUT", "/v1/blobs/..%2f..%2fx", new Uint8Array(3))).toMatchObject(
      refused(400, "invalid_argument"),
    );
    expect(await site.call("POST", "/v1/assignments", {})).toMatchObject(refused(400, "invalid_argument"));
    const text = { "content-type": "text/plain" };
    expect(await site.call("POST", "/v1/assignments", {}, text)).toMatchObject(refused(400, "invalid_argument"));
    const broken = { "content-type": "application/json" };
    expect(await site.call("POST", "/v1/blobs/missing", new Uint8Array([123]), broken)).toMatchObject(
      refused(400, "invalid_argument"),
    );
    expect(await site.call("GET", "/nothing")).toMatchObject(refused(404, "not_found"));
  });

  test("faults of ours are told to nobody", async () => {
    const site = await startSite({
      parts: {
        openLake: emptyLake({ lake: { flush: () => Promise.reject(new Error("/secret/path is gone")) } }),
      },
    });
    const answer = await site.call("POST", "/v1/predictions/flush");
    expect(answer).toMatchObject(refused(500, "internal"));
    expect(JSON.stringify(answer.body)).not.toContain("secret");
  });
});

describe("publishing", () => {
  test("the same manifest twice is one version; the next one has the next number", async () => {
    const site = await startSite();
    const operator = await initialiseTrust(site);
    const [one, two] = [makeBundle("rain", "one"), makeBundle("rain", "two")];
    const first = await publish(site, operator, [one]);
    expect(first).toMatchObject({
      status: 200,
      body: { model: "rain", version: 1, digest: one.digest, task: "classification" },
    });
    const { versions } = await trustOf(site);
    const metadata = [operator.project("rain", [], { version: 9 })];
    const again = await site.call("POST", "/v1/models/rain/versions", { manifest: one.manifest, metadata });
    expect(again).toEqual(first);
    expect((await trustOf(site)).versions).toEqual(versions);
    expect(await publish(site, operator, [one, two])).toMatchObject({ body: { version: 2, lineage: { note: "two" } } });
    expect(await site.call("GET", "/v1/models")).toMatchObject({
      body: { models: [{ name: "rain", versions: [{ version: 1 }, { version: 2 }] }] },
    });
    const request = { id: "0".repeat(16), kind: "manifest" as const, digest: two.digest };
    expect(await site.fleet.answer("any", request)).toBe(two.manifest);
  });

  test("chunks that did not change are not asked for again", async () => {
    const site = await startSite();
    const operator = await initialiseTrust(site);
    const one = makeBundle("rain", "one");
    await publish(site, operator, [one]);
    const sha256 = [...one.chunks.keys(), "0".repeat(64)];
    expect(await site.call("POST", "/v1/blobs/missing", { sha256 })).toMatchObject({
      body: { missing: ["0".repeat(64)] },
    });
  });

  test("[S5] a bundle that is not whole, not of this model, or not signed does not become a version", async () => {
    const site = await startSite();
    const operator = await initialiseTrust(site);
    const bundle = makeBundle("rain", "one");
    const { digest, length, manifest } = bundle;
    const signed = [
      operator.targets({ version: 2, models: ["rain"] }),
      operator.project("rain", [{ digest, length, release: 1 }]),
    ];
    const send = (text: string, metadata = signed, model = "rain") =>
      site.call("POST", `/v1/models/${model}/versions`, { manifest: text, metadata });
    expect(await send(manifest)).toMatchObject(refused(404, "not_found"));
    for (const [sha256, bytes] of bundle.chunks) await site.call("PUT", `/v1/blobs/${sha256}`, bytes);
    expect(await send(manifest, signed, "hail")).toMatchObject(refused(400, "invalid_manifest"));
    expect(await send("{}")).toMatchObject(refused(400, "invalid_manifest"));
    const unlisted = [operator.targets({ version: 2, models: ["rain"] }), operator.project("rain", [])];
    expect(await send(manifest, unlisted)).toMatchObject(refused(400, "invalid_metadata"));
    const unsigned = [signed[0], operator.project("rain", [{ digest, length, release: 1 }], { signers: [] })];
    expect(await send(manifest, unsigned as typeof signed)).toMatchObject(refused(422, "unsigned"));
    const forged = [signed[0], operator.project("rain", [{ digest, length, release: 1 }], { signers: [makeKey()] })];
    expect(await send(manifest, forged as typeof signed)).toMatchObject(refused(422, "bad_signature"));
    expect((await trustOf(site)).versions).toMatchObject({ targets: 1 });
    // Files whose chunks make up something else.
    const swapped = manifest.replace(JSON.parse(manifest).files[0].sha256, "0".repeat(64));
    expect(await send(swapped)).toMatchObject(refused(422, "digest_mismatch"));
    expect(await send(manifest)).toMatchObject({ status: 200 });
  });

  test("two who publish at once get two numbers, or the later one signs anew", async () => {
    const site = await startSite();
    const operator = await initialiseTrust(site);
    const [one, two, three] = [makeBundle("rain", "one"), makeBundle("rain", "two"), makeBundle("rain", "three")];
    await publish(site, operator, [one]);
    const answers = await Promise.all([publish(site, operator, [one, two]), publish(site, operator, [one, three])]);
    expect(answers.map(({ status }) => status === 200).sort()).toEqual([false, true]);
  });
});

describe("the page", () => {
  test("is 503 until it is built, then served under its content security policy", async () => {
    const site = await startSite();
    expect(await site.call("GET", "/agent/vedette.js")).toMatchObject(refused(503, "not_ready"));
    await mkdir(join(site.home, "page", "agent"), { recursive: true });
    await mkdir(join(site.home, "page", "page"));
    await writeFile(join(site.home, "page", "page", "index.html"), "<!doctype html>");
    await writeFile(join(site.home, "page", "agent", "ort.wasm"), "\0asm");
    await writeFile(join(site.home, "page", "agent", "ort.mjs"), "");
    await writeFile(join(site.home, "page", "agent", "vedette.js"), "export {};");
    await writeFile(join(site.home, "page", "agent", "worker-AbCd_-12.js"), "");
    await writeFile(join(site.home, "page", "secret.txt"), "no");
    expect(await site.call("GET", "/agent/vedette.js")).toMatchObject(refused(503, "not_ready"));
    await writeFile(join(site.home, "page", ".vedette-page"), "built");
    const get = (path: string) => fetch(new URL(path, site.url));
    const type = async (path: string) => (await get(path)).headers.get("content-type");
    expect(await type("/agent/vedette.js")).toMatch(/^text\/javascript/);
    expect(await type("/agent/ort.mjs")).toMatch(/^text\/javascript/);
    expect(await type("/agent/ort.wasm")).toBe("application/wasm");
    const page = await get("/page");
    expect([page.url, await page.text()]).toEqual([`${site.url}/page/`, "<!doctype html>"]);
    expect(page.headers.get("content-security-policy")).toContain("script-src 'self' 'wasm-unsafe-eval'");
    expect(page.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    expect(page.headers.get("cross-origin-opener-policy")).toBe("same-origin");
    const agent = await get("/agent/vedette.js");
    expect(agent.headers.get("access-control-allow-origin")).toBe("*");
    expect(agent.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
    expect(agent.headers.get("cache-control")).toBe("no-cache");
    expect((await get("/agent/worker-AbCd_-12.js")).headers.get("cache-control")).toContain("immutable");
    const nothing = await get("/agent/nothing-AbCd_-12.js");
    expect([nothing.status, nothing.headers.get("cache-control")]).toEqual([404, "no-cache"]);
    expect((await get("/agent/..%2fsecret.txt")).status).toBe(404);
    expect((await get("/secret.txt")).status).toBe(404);
  });
});

test("predictions come from the lake", async () => {
  const site = await startSite();
  const rows = await site.call("POST", "/v1/predictions/query", { model: "rain" });
  expect(rows).toEqual({ status: 200, body: { columns: ["n"], rows: [[1]], truncated: false } });
  expect(await site.call("POST", "/v1/predictions/flush")).toEqual({ status: 200, body: { batches: 0 } });
});

test("an enrolment token pins the root and says where to go", async () => {
  const site = await startSite();
  await initialiseTrust(site);
  const { token } = await makeToken(site);
  const { rootSha256 } = await trustOf(site);
  expect(JSON.parse(Buffer.from(token, "base64url").toString())).toMatchObject({
    url: site.url,
    site: "test",
    rootSha256,
  });
  const joined = await site.call("POST", "/v1/enroll", enrollBody(token, { agent: "gauge-1", key: makeKey() }));
  expect(joined.body).toMatchObject({ mqttUrl: "mqtt://127.0.0.1:1883", mqttWsUrl: "ws://127.0.0.1:1884" });
});
