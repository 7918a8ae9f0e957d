/** The page's adapters and the built page in a real browser, under the headers that the control plane serves them with. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { fromHalf } from "@vedette/protocol/halves";
import { goldenAbi2 } from "@vedette/wasm-kernels/golden-run";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumArgs, chromiumPath } from "../../../test/chromium.ts";
import { buildPage } from "../../node/build-page.ts";
import type { ProbeInput, ProbeResult } from "./probe-worker.ts";
import { digest, manifestLength, model, now, TufSite } from "./tuf-site.ts";

const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
const headers = {
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; style-src 'self'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** Serves a folder, and enrols whoever asks; of devices' tokens it knows nothing, so every device stays offline. */
function serve(folder: string, root: string): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === "/v1/enroll") {
      const urls = { mqttUrl: "mqtt://127.0.0.1:1", mqttWsUrl: "ws://127.0.0.1:1" };
      const answer = { site: "demo", agent: "web-1", root, ...urls, labels: {} };
      response.writeHead(200, headers).end(JSON.stringify(answer));
      return;
    }
    const path = normalize(new URL(request.url ?? "/", "http://x").pathname).replace(/\/$/, "/index.html");
    readFile(join(folder, path)).then(
      (bytes) =>
        response.writeHead(200, { ...headers, "content-type": types[extname(path)] ?? "text/plain" }).end(bytes),
      () => response.writeHead(404, headers).end("{}"),
    );
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const kinds = new URL("../../../../fixtures/models/exported/kinds/", import.meta.url);
const readKind = (file: string) => readFile(new URL(file, kinds));

/** A scikit-learn export with texts, and one of halves: their bytes, and one row that Python was asked with too. */
async function exports(): Promise<ProbeInput["asked"]> {
  const { rows } = JSON.parse(await readKind("columns.json").then(String)) as { rows: Record<string, string>[] };
  const shape = [rows.length, 1];
  const column = (name: string) => rows.map((row) => row[name] ?? "");
  const feeds = {
    temp: { datatype: "FP32", shape, data: Float32Array.from(column("temp"), Number) },
    rpm: { datatype: "INT64", shape, data: BigInt64Array.from(column("rpm"), BigInt) },
    site: { datatype: "BYTES", shape, data: column("site") },
    maker: { datatype: "BYTES", shape, data: column("maker") },
    sealed: { datatype: "BOOL", shape, data: Uint8Array.from(column("sealed"), Number) },
  } as const;
  const halves = { x: { datatype: "FP16", shape: [1, 2], data: Uint16Array.of(0x3c00, 0) } } as const;
  return [
    { model: new Uint8Array(await readKind("columns.onnx")), feeds },
    { model: new Uint8Array(await readKind("halves.onnx")), feeds: halves },
  ];
}

describe.skipIf(!existsSync(chromiumPath) && !process.env.CI)("in Chromium", () => {
  let folder: string;
  let server: Server;
  let browser: Browser;
  let origin: string;
  let page: Page;
  const problems: string[] = [];
  const site = new TufSite();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "vedette-page-"));
    await buildPage(folder);
    await build({
      configFile: false,
      root: fileURLToPath(new URL(".", import.meta.url)),
      base: "./",
      logLevel: "error",
      resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "production"] },
      build: {
        outDir: folder,
        emptyOutDir: false,
        assetsInlineLimit: 0,
        modulePreload: false,
        rolldownOptions: {
          input: { probe: fileURLToPath(new URL("./probe-worker.ts", import.meta.url)) },
          output: { entryFileNames: "[name].js" },
        },
      },
    });
    server = await serve(folder, site.firstRoot);
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: [...chromiumArgs, "--js-flags=--expose-gc"],
    });
    page = await (await browser.newContext()).newPage();
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (/Content Security Policy/.test(message.text())) problems.push(message.text());
    });
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const probe = (input: ProbeInput): Promise<ProbeResult> =>
    page.evaluate(
      (given) =>
        new Promise<ProbeResult>((resolve, reject) => {
          const worker = new Worker("/probe.js", { type: "module" });
          worker.onerror = (event) => reject(new Error(event.message || "the probe does not load"));
          worker.onmessage = ({ data }) => {
            worker.terminate();
            if (data.result) resolve(data.result);
            else reject(new Error(data.error));
          };
          worker.postMessage(given);
        }),
      input,
    );

  it("[O29] [W8] keeps files, verifies trust, holds a key, runs a model and the kernels in a worker", async () => {
    await page.goto(`${origin}/page/`);
    const runtime = await runtimeUrl(folder, origin);
    const input: ProbeInput = {
      files: Object.fromEntries(site.files),
      root: site.firstRoot,
      now,
      target: { model, digest, length: manifestLength },
      runtime,
      asked: await exports(),
    };
    const first = await probe(input);
    const [columns, halves] = first.answers;
    const { outputs } = JSON.parse(await readKind("columns.json").then(String));
    expect(columns?.label?.data).toEqual(outputs.label);
    for (const [i, want] of outputs.probabilities.flat().entries()) {
      expect(Math.abs(Number(columns?.probabilities?.data[i]) - want)).toBeLessThan(1e-4);
    }
    expect(halves?.probabilities?.datatype).toBe("FP16");
    expect(fromHalf(Number(halves?.probabilities?.data[0]))).toBeCloseTo(0.7773, 2);
    expect(first).toMatchObject({
      opfs: true,
      isolated: true,
      endedAmidCollection: 20,
      release: 7,
      expired: "expired",
      sameKey: true,
      verified: true,
      forged: false,
      noModel: "invalid_model",
      // In a worker of its own: ended, it is gone at once, with what it was asked.
      beside: {
        y: [2, 4, 6, 8],
        outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
        ranMs: expect.any(Number),
        wrong: "model_failed",
        left: "model_failed",
        gone: "model_failed",
        noModel: "invalid_model",
      },
      kernels: "simd",
      golden: [goldenAbi2, goldenAbi2],
      model: {
        inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
        outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
        y: [2, 4, 6, 8],
      },
    });
    expect(first.packed).toBeLessThan(200);
    const fresh = {
      now: "three",
      listed: ["c.json", "d.json"],
      after: ["c.json"],
      logs: ["0.seg"],
      missing: true,
      none: [],
      whileOpen: "xy",
      traversal: "invalid_argument",
    };
    expect(first.storage).toMatchObject(fresh);
    expect(first.indexedDb).toMatchObject(fresh);

    const second = await probe(input);
    const kept = { kept: "three", keptLog: "xy", whileOpen: "xyxy" };
    expect(second.storage).toMatchObject(kept);
    expect(second.indexedDb).toMatchObject(kept);
    expect(second.key).toBe(first.key);
  }, 60_000);

  it("says in the page what is wrong: no token, what is no token, a site that is not the token's", async () => {
    const shown = async (hash: string) => {
      await page.goto("about:blank");
      await page.goto(`${origin}/page/${hash}`);
      await page.waitForSelector("#notice:not([hidden])");
      return [await page.textContent("#link"), await page.textContent("#notice")];
    };
    expect((await shown(""))[0]).toBe("invalid_token");
    expect((await shown("#token=abc"))[0]).toBe("invalid_token");
    const token = { url: origin, site: "demo", secret: "ab".repeat(32), rootSha256: "cd".repeat(32) };
    const text = Buffer.from(JSON.stringify(token)).toString("base64url");
    expect((await shown(`#token=${text}`))[0]).toBe("digest_mismatch");
    expect(problems).toEqual([]);
  }, 30_000);

  it("joins once, answers offline, keeps who it is over a reload, and runs in one tab only", async () => {
    const rootSha256 = createHash("sha256").update(site.firstRoot).digest("hex");
    const token = { url: origin, site: "demo", secret: "ab".repeat(32), rootSha256 };
    await page.goto("about:blank");
    await page.goto(`${origin}/page/#token=${Buffer.from(JSON.stringify(token)).toString("base64url")}`);
    const device = (of: Page) =>
      of.waitForFunction(() => document.querySelector("#device")?.textContent === "web-1 of demo");
    await device(page);
    expect(await page.textContent("#link")).toMatch(/offline/);
    expect(page.url()).toBe(`${origin}/page/`);
    await page.reload();
    await device(page);

    const second = await page.context().newPage();
    await second.goto(`${origin}/page/`);
    await second.waitForSelector("#notice:not([hidden])");
    expect(await second.textContent("#link")).toBe("busy");
    await second.close();

    const asApp = await page.context().newPage();
    await page.goto("about:blank");
    await asApp.goto(`${origin}/page/page.txt`);
    // As text: the test's own bundler would otherwise make the import its own.
    const seen = await asApp.evaluate<Record<string, unknown>>(`(async () => {
      const { connect } = await import("/agent/vedette.js");
      const agent = await connect();
      const refused = await agent.predict({ model: "rain", inputs: [{}] }).catch((error) => error.code + ": " + error.message);
      const { agent: id, storage, connected } = await agent.status();
      await agent.close();
      const again = await connect(); // what was closed gives its home back at once
      await again.close();
      return { refused, id, storage, connected, same: again.id === agent.id };
    })()`);
    expect(seen).toMatchObject({ id: "web-1", storage: "opfs", connected: false, same: true });
    expect(seen.refused).toMatch(/not_found: no model "rain" here/);
    await asApp.close();
    expect(problems).toEqual([]);
  }, 60_000);

  it("builds nothing anew while nothing changed", async () => {
    expect(await buildPage(folder)).toEqual({ folder, built: false });
  });
});

async function runtimeUrl(folder: string, origin: string): Promise<string> {
  const file = fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  const { version } = JSON.parse(await readFile(join(file, "../../package.json"), "utf8")) as { version: string };
  expect(existsSync(join(folder, "agent", `ort-${version}`, "ort-wasm-simd-threaded.wasm"))).toBe(true);
  return `${origin}/agent/ort-${version}/`;
}
