/** The page's adapters and the built page in a real browser, under the headers that the control plane serves them with. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPage } from "../../node/build-page.ts";
import type { ProbeInput, ProbeResult } from "./probe-worker.ts";
import { digest, manifestLength, model, now, TufSite } from "./tuf-site.ts";

const executablePath = process.env.VEDETTE_CHROMIUM ?? "/usr/bin/chromium";
const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};
const headers = {
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; style-src 'self'; img-src data:",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://x").pathname).replace(/\/$/, "/index.html");
    readFile(join(folder, path)).then(
      (bytes) =>
        response.writeHead(200, { ...headers, "content-type": types[extname(path)] ?? "text/plain" }).end(bytes),
      () => response.writeHead(404, headers).end("{}"),
    );
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

describe.skipIf(!existsSync(executablePath))("in Chromium", () => {
  let folder: string;
  let server: Server;
  let browser: Browser;
  let origin: string;
  let page: Page;
  const problems: string[] = [];

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
    server = await serve(folder);
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    page = await browser.newPage();
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

  it("keeps files, verifies trust, holds a key, runs a model and the kernels in a worker", async () => {
    const site = new TufSite();
    await page.goto(`${origin}/page/`);
    const runtime = await runtimeUrl(folder, origin);
    const input: ProbeInput = {
      files: Object.fromEntries(site.files),
      root: site.firstRoot,
      now,
      target: { model, digest, length: manifestLength },
      runtime,
    };
    const first = await probe(input);
    expect(first).toMatchObject({
      opfs: true,
      isolated: true,
      release: 7,
      expired: "expired",
      sameKey: true,
      verified: true,
      forged: false,
      noModel: "invalid_model",
      kernels: "simd",
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

  it("says in the page what is wrong: no token, a foreign token, a control plane that is not there", async () => {
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
    expect((await shown(`#token=${text}`))[1]).toMatch(/answered 404/);
    expect(problems).toEqual([]);
  }, 30_000);

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
