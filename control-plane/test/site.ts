/** A whole control plane in tests: real database, files and HTTP; broker and lake are recorded fakes. */

import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blobsMissing, type createToken, createTokenAnswer, enrollmentToken, trustState } from "@vedette/protocol/api";
import { assignment, helloAnswer, type Request } from "@vedette/protocol/messages";
import { signedBytes } from "@vedette/protocol/signed";
import { onTestFinished } from "vitest";
import type { z } from "zod";
import { composeControlPlane, type Parts } from "../src/compose.ts";
import { parseConfig } from "../src/config.ts";
import type { Fleet, StoredCount } from "../src/ports.ts";
import { makeBundle, type TestBundle } from "./bundle.ts";
import { type ManualClock, manualClock, silentLogger } from "./clock.ts";
import { emptyLake } from "./empty-lake.ts";
import { createOperator, makeKey, type OfflineKey, type Operator } from "./operator.ts";

export const abilities = {
  capability: 3,
  agent: "0.1.0",
  runtime: "test",
  opset: 21,
  kernelAbi: 1,
  backends: ["node-cpu" as const],
};

export interface Site {
  readonly home: string;
  readonly url: string;
  readonly clock: ManualClock;
  readonly fleet: Fleet;
  /** Hints that the broker was asked for. */
  readonly hints: { agent: string; rev: number }[];
  /** What the lake is to say it holds. */
  readonly counts: StoredCount[];
  /** An operator's request; answers status and parsed body. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: unknown }>;
  close(): Promise<void>;
}

export async function startSite(
  over: { home?: string; clock?: ManualClock; parts?: Partial<Parts>; gated?: boolean } = {},
): Promise<Site> {
  const home = over.home ?? (await mkdtemp(join(tmpdir(), "vedette-site-")));
  const clock = over.clock ?? manualClock();
  const hints: Site["hints"] = [];
  const counts: StoredCount[] = [];
  let fleet: Fleet | undefined;
  const config = parseConfig({ home, site: "test", port: 0, mqttPort: 0, wsPort: 0 });
  const plane = await composeControlPlane(config, {
    clock,
    logger: silentLogger,
    joinLimit: { burst: 100, perSecond: 100 },
    // Most bundles in tests are no models, and the gate would let none of them pass.
    ...(over.gated ? {} : { gate: async () => ({ passed: true, why: "not asked in this test" }) }),
    // What this machine has left is nothing that a test is about.
    diskSpace: async () => ({ free: 1e12, total: 2e12 }),
    openLake: emptyLake({
      lake: {
        query: async () => ({ columns: ["n"], rows: [[1]], truncated: false }),
        counts: async () => [...counts],
      },
    }),
    startBroker: async (options) => {
      fleet = options.fleet;
      return {
        urls: (host) => ({ mqttUrl: `mqtt://${host}:1883`, mqttWsUrl: `ws://${host}:1884` }),
        offer: async () => {},
        hint: async (agent, rev) => void hints.push({ agent, rev }),
        command: async () => {},
        disconnect: async () => {},
        disconnectAll: async () => {},
        close: async () => {},
      };
    },
    ...over.parts,
  });
  let open = true;
  const close = async () => {
    if (open) await plane.close();
    open = false;
  };
  onTestFinished(close);
  const token = (await readFile(plane.operatorTokenFile, "utf8")).trim();
  return {
    home,
    url: plane.url,
    clock,
    get fleet() {
      if (!fleet) throw new Error("the broker was not started");
      return fleet;
    },
    hints,
    counts,
    async call(method, path, body, headers = {}) {
      const raw = body instanceof Uint8Array;
      const response = await fetch(new URL(path, plane.url), {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": raw ? "application/octet-stream" : "application/json",
          ...headers,
        },
        ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.includes("json");
      return { status: response.status, body: isJson ? JSON.parse(text) : text };
    },
    close,
  };
}

export async function trustOf(site: Site): Promise<z.infer<typeof trustState>> {
  return trustState.parse((await site.call("GET", "/v1/trust")).body);
}

/** Makes offline keys and puts the first root and targets. */
export async function initialiseTrust(site: Site): Promise<Operator> {
  const { online } = await trustOf(site);
  const operator = createOperator(online);
  const put = await site.call("PUT", "/v1/trust/metadata", { metadata: [operator.root(), operator.targets()] });
  if (put.status !== 200) throw new Error(JSON.stringify(put.body));
  return operator;
}

/** Sends what is missing of a bundle and publishes it as the given release. */
export async function publish(
  site: Site,
  operator: Operator,
  bundles: readonly TestBundle[],
  targets = bundles.length === 1,
) {
  const bundle = bundles.at(-1) ?? makeBundle("rain", "none");
  const asked = await site.call("POST", "/v1/blobs/missing", { sha256: [...bundle.chunks.keys()] });
  const { missing } = blobsMissing.parse(asked.body);
  for (const sha256 of missing) await site.call("PUT", `/v1/blobs/${sha256}`, bundle.chunks.get(sha256));
  const { versions } = await trustOf(site);
  const listed = bundles.map(({ digest, length }, i) => ({ digest, length, release: i + 1 }));
  const { model, manifest } = bundle;
  const project = operator.project(model, listed, { version: (versions[`project-${model}`] ?? 0) + 1 });
  const metadata = targets
    ? [operator.targets({ version: (versions.targets ?? 0) + 1, models: [model] }), project]
    : [project];
  return site.call("POST", `/v1/models/${model}/versions`, { manifest, metadata });
}

export interface TestDevice {
  readonly agent: string;
  readonly key: OfflineKey;
}

export async function makeToken(site: Site, request: Partial<z.infer<typeof createToken>> = {}) {
  return createTokenAnswer.parse((await site.call("POST", "/v1/enrollment-tokens", request)).body);
}

/** The body of POST /v1/enroll for a token. */
export function enrollBody(token: string, { agent, key }: TestDevice) {
  const { secret } = enrollmentToken.parse(JSON.parse(Buffer.from(token, "base64url").toString()));
  const publicKey = key.publicKeyHex;
  return { secret, agent, publicKey, proof: key.sign(signedBytes("enroll", `${secret}.${agent}.${publicKey}`)) };
}

/** A device that joined with a token of its own. */
export async function enroll(site: Site, agent: string, labels: Record<string, string> = {}): Promise<TestDevice> {
  const device = { agent, key: makeKey() };
  const { token } = await makeToken(site, { labels });
  const answer = await site.call("POST", "/v1/enroll", enrollBody(token, device));
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return device;
}

/** A hello as the broker hands it over; answers the parsed assignment, unverified. */
export async function hello(site: Site, agent: string, over: Partial<Extract<Request, { kind: "hello" }>> = {}) {
  const request = {
    id: "0".repeat(16),
    kind: "hello" as const,
    nonce: "ab".repeat(16),
    abilities,
    labels: {},
    rev: 0,
    streams: [],
  };
  const answer = helloAnswer.parse(JSON.parse(await site.fleet.answer(agent, { ...request, ...over })));
  return { answer, assignment: answer.assignment && assignment.parse(JSON.parse(answer.assignment.payload)) };
}
