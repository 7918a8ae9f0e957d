import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeManifest, type GoldenVectors, goldenVectors, type Manifest } from "@vedette/protocol/bundle";
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { recordingKernels } from "../../../test/recording-kernels.ts";
import type { VersionRecord } from "../../db/records.ts";
import { type Bundle, buildBundle } from "../../publish/build-bundle.ts";
import { chunkFile } from "../../publish/chunk-file.ts";
import { readSources } from "../../publish/read-sources.ts";
import { sha256 } from "../../sha256.ts";
import { checkVersion } from "./check-version.ts";

/** Each model runs in processes of its own. */
vi.setConfig({ testTimeout: 120_000 });

const models = fileURLToPath(new URL("../../../../fixtures/models/written/", import.meta.url));
let bundle: Bundle;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vedette-gate-"));
  const referenceFile = join(folder, "data.csv");
  await writeFile(referenceFile, "a,b,y\n1,2,0\n-1,0.5,0\n0,4,0\n3,-1,1\n");
  const modelFile = join(models, "two-class-int64.onnx");
  const what = { name: "m", modelFile, referenceFile, label: "y", logInputs: "full" as const };
  let elapsed = 0;
  const ports = { kernels: recordingKernels(), now: () => 0, monotonic: () => (elapsed += 1) };
  bundle = await buildBundle(what, await readSources(what, 1), ports);
});
afterAll(() => rm(folder, { recursive: true }));

interface Changes {
  readonly golden?: (golden: GoldenVectors) => GoldenVectors;
  readonly manifest?: (manifest: Manifest) => Manifest;
  readonly lost?: string;
  readonly assignable?: "yes" | "not listed" | "revoked";
}

/** What the gate says of the bundle with something changed in it, by the name of the check. */
async function said({ golden = (same) => same, manifest = (same) => same, lost, assignable = "yes" }: Changes) {
  const there = new Map(bundle.blobs);
  const chunks = bundle.manifest.files.find(({ path }) => path === "golden.json")?.chunks ?? [];
  const text = chunks.map((chunk) => fromUtf8(there.get(chunk.sha256) as Uint8Array<ArrayBuffer>)).join("");
  const changed = chunkFile("golden.json", utf8(JSON.stringify(golden(goldenVectors.parse(JSON.parse(text))))));
  for (const [name, bytes] of changed.blobs) there.set(name, bytes);
  const others = bundle.manifest.files.filter(({ path }) => path !== "golden.json");
  const whole = manifest({ ...bundle.manifest, files: [...others, changed.file] });
  const encoded = fromUtf8(encodeManifest(whole));
  const dropped = whole.files.find(({ path }) => path === lost)?.chunks[0]?.sha256;
  const facts = { requires: whole.requires, lineage: whole.lineage, modelSignature: null, task: whole.output.task };
  const version: VersionRecord = {
    ...{ model: "m", version: 1, digest: sha256(encoded), length: encoded.length, bytes: 1 },
    ...{ createdAt: 0, publishedBy: "ada", ...facts },
  };
  const checks = await checkVersion(version, undefined, {
    db: { versions: { manifest: async () => encoded } },
    rows: async () => undefined,
    trust: { assignable: () => assignable },
    blobs: { get: async (name) => (name === dropped ? undefined : there.get(name)) },
  });
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

/** Every number is off by this share of itself. */
const shifted = (golden: GoldenVectors, by: number): GoldenVectors => ({
  ...golden,
  outputs: Object.fromEntries(
    Object.entries(golden.outputs).map(([name, values]) => [
      name,
      values.map((value) => (typeof value === "number" && !Number.isInteger(value) ? value * (1 + by) : value)),
    ]),
  ),
});

test("[K21] golden vectors are proven on each backend: what one of them does not answer as published fails there", async () => {
  const sound = await said({});
  expect(sound).toMatchObject({ "golden.node-cpu": { passed: true }, "golden.wasm": { passed: true } });
  expect(sound["golden.wasm"]?.measured).toBeLessThan(1);
  // Within what Node may be off, and beyond what WebAssembly may.
  const apart = await said({
    golden: (golden) => ({
      ...shifted(golden, 0.01),
      tolerance: { "node-cpu": { absolute: 0, relative: 0.1 }, wasm: { absolute: 1e-4, relative: 1e-3 } },
    }),
  });
  expect(apart).toMatchObject({
    "golden.node-cpu": { passed: true },
    "golden.wasm": { passed: false, why: expect.stringMatching(/output .*\[\d+\] is .*, published was/) },
  });
  const untold = await said({
    golden: ({ tolerance: { wasm: _, ...tolerance }, ...golden }) => ({ ...golden, tolerance }),
  });
  expect(untold).toMatchObject({ "golden.node-cpu": { passed: true }, "golden.wasm": { passed: false } });
});

test("[K24] latency and memory are measured by the gate itself, against the bundle's own limits", async () => {
  const sound = await said({});
  expect(sound).toMatchObject({
    "latency.node-cpu": { passed: true, unit: "ms", limit: bundle.manifest.limits.latencyMs },
    "memory.wasm": { passed: true, unit: "bytes", limit: bundle.manifest.limits.memoryBytes },
  });
  const tight = (limits: Partial<Manifest["limits"]>) =>
    said({ manifest: (manifest) => ({ ...manifest, limits: { ...manifest.limits, ...limits } }) });
  expect(await tight({ latencyMs: 1e-6 })).toMatchObject({ "latency.node-cpu": { passed: false, limit: 1e-6 } });
  const greedy = await tight({ memoryBytes: 4096 });
  expect(greedy).toMatchObject({ "memory.node-cpu": { passed: false } });
});

test("[K26] signature and files are read anew: unlisted, revoked, lost or no model is refused before anything runs", async () => {
  expect(await said({ assignable: "not listed" })).toMatchObject({ signature: { passed: false } });
  expect(await said({ assignable: "revoked" })).toMatchObject({ signature: { passed: false } });
  const lost = await said({ lost: "model.onnx" });
  expect(lost).toMatchObject({ manifest: { passed: false, why: expect.stringContaining("is not here") } });
  expect(Object.keys(lost)).toEqual(["signature", "manifest"]);
  // Of every file, also those that the gate itself has no use for.
  for (const { path } of bundle.manifest.files) {
    expect(await said({ lost: path })).toMatchObject({ manifest: { passed: false } });
  }
  const noModel = await said({
    manifest: (manifest) => ({ ...manifest, runtime: { ...manifest.runtime, file: "golden.json" } }),
  });
  expect(noModel).toMatchObject({ manifest: { passed: false } });
});
