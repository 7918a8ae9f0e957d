import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Metadata, MetadataKind, Signature, Snapshot } from "@tufjs/models";
import type { ModelVersion } from "@vedette/protocol/api";
import { parseManifest } from "@vedette/protocol/bundle";
import { targetsExtension, targetsExtensionField } from "@vedette/protocol/trust";
import { afterEach, beforeEach, expect, it } from "vitest";
import { recordingKernels } from "../../test/recording-kernels.ts";
import { sha256 } from "../sha256.ts";
import type { BuildPorts } from "./build-bundle.ts";
import { initTrust } from "./init-trust.ts";
import { keyidOf, type OfflineKey, readKey, readOrMakeKey } from "./offline-keys.ts";
import { type PublishApi, publishModel } from "./publish-model.ts";
import type { ModelDescription } from "./read-sources.ts";
import { renewTrust } from "./renew-trust.ts";
import type { KeyRing } from "./settle.ts";
import type { SignedMetadata, TrustApi } from "./trust-api.ts";

const models = fileURLToPath(new URL("../../../fixtures/models/written/", import.meta.url));
const now = Date.UTC(2026, 0, 1);
const ports: BuildPorts = {
  kernels: recordingKernels(),
  now: () => now,
  monotonic: () => 0,
};

let home: string;
let keys: string;
let ring: KeyRing;
let site: Awaited<ReturnType<typeof fakeSite>>;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-keys-"));
  keys = join(home, "keys");
  ring = { folder: keys };
  site = await fakeSite(home);
});
afterEach(() => rm(home, { recursive: true }));

/** A control plane that takes what verifies, in memory. */
async function fakeSite(folder: string) {
  const online: Record<string, OfflineKey> = {};
  for (const name of ["snapshot", "timestamp", "director"])
    online[name] = await readOrMakeKey(join(folder, "online"), name);
  const texts = new Map<string, string>();
  const versions: ModelVersion[] = [];
  const blobs = new Set<string>();
  const publicKey = (name: string): string => online[name]?.publicKey ?? "";
  const accept = (metadata: readonly SignedMetadata[]): void => {
    for (const { role, text } of metadata) {
      const json = JSON.parse(text);
      if (role === "root")
        Metadata.fromJSON(MetadataKind.Root, json).verifyDelegate("root", Metadata.fromJSON(MetadataKind.Root, json));
      else if (role === "targets") rootOf().verifyDelegate("targets", Metadata.fromJSON(MetadataKind.Targets, json));
      else targetsOf("targets").verifyDelegate(role, Metadata.fromJSON(MetadataKind.Targets, json));
      texts.set(role, text);
    }
  };
  const rootOf = () => Metadata.fromJSON(MetadataKind.Root, JSON.parse(texts.get("root") ?? ""));
  const targetsOf = (role: string) => Metadata.fromJSON(MetadataKind.Targets, JSON.parse(texts.get(role) ?? ""));
  const api: Pick<TrustApi, "trust" | "putMetadata"> & PublishApi = {
    trust: async () => ({
      site: "site",
      online: { snapshot: publicKey("snapshot"), timestamp: publicKey("timestamp"), director: publicKey("director") },
      rootSha256: texts.has("root") ? sha256(texts.get("root") ?? "") : null,
      versions: Object.fromEntries([...texts].map(([role, text]) => [role, JSON.parse(text).signed.version])),
    }),
    putMetadata: async (metadata) => accept(metadata),
    versions: async () => versions,
    missingBlobs: async (asked) => asked.filter((name) => !blobs.has(name)),
    putEvaluation: async () => {},
    putBlob: async (name) => {
      blobs.add(name);
    },
    publish: async (model, text, metadata) => {
      accept(metadata);
      const manifest = parseManifest(text);
      const version: ModelVersion = {
        revoked: false,
        model,
        version: versions.length + 1,
        digest: sha256(text),
        createdAt: manifest.createdAt,
        publishedBy: "operator",
        bytes: 1,
        task: manifest.output.task,
        lineage: manifest.lineage,
      };
      versions.push(version);
      return version;
    },
  };
  return { api, rootOf, targetsOf, online, blobs };
}

async function describeModel(csv = "a,b\n1,2\n3,4\n-1,0\n"): Promise<ModelDescription> {
  const referenceFile = join(home, "reference.csv");
  await writeFile(referenceFile, csv);
  return { name: "linear", modelFile: join(models, "linear.onnx"), referenceFile, logInputs: "full" };
}

/** Publishes where one signature is enough. */
async function published(...given: Parameters<typeof publishModel>) {
  const done = await publishModel(...given);
  if (done.outcome === "pending") throw new Error("others have to sign");
  return done;
}

it("gives a site its root: keys for their owner alone, online keys and director named, the hash pinned", async () => {
  const { rootSha256 } = await initTrust(site.api, ring, now);
  expect((await site.api.trust()).rootSha256).toBe(rootSha256);
  expect((await stat(join(keys, "root.pem"))).mode & 0o777).toBe(0o600);
  expect((await stat(keys)).mode & 0o777).toBe(0o700);
  const root = site.rootOf();
  expect(root.signed.expires).toBe("2027-01-01T00:00:00Z");
  const snapshot = new Metadata(new Snapshot({ version: 1, specVersion: "1.0.31", expires: "2027-01-01T00:00:00Z" }));
  const key = site.online.snapshot as OfflineKey;
  snapshot.sign((bytes) => new Signature({ keyID: key.keyid, sig: key.sign(bytes) }));
  expect(() => root.verifyDelegate("snapshot", snapshot)).not.toThrow();
  const director = site.online.director?.publicKey ?? "";
  const extension = targetsExtension.parse(site.targetsOf("targets").signed.unrecognizedFields[targetsExtensionField]);
  expect(extension).toEqual({ director: { keys: { [keyidOf(director)]: director }, threshold: 1 }, floors: {} });
});

it("makes no second root, and never writes over a key", async () => {
  await initTrust(site.api, ring, now);
  const before = await readFile(join(keys, "root.pem"), "utf8");
  await expect(initTrust(site.api, ring, now)).rejects.toMatchObject({ code: "conflict" });
  const other = await fakeSite(await mkdtemp(join(home, "other-")));
  await initTrust(other.api, ring, now); // An interrupted run left keys; they are taken, not replaced.
  expect(await readFile(join(keys, "root.pem"), "utf8")).toBe(before);
});

it("publishes: delegates to a release key, lists the release, sends what is missing", async () => {
  await initTrust(site.api, ring, now);
  const first = await published(await describeModel(), site.api, ring, ports);
  expect(first).toMatchObject({ outcome: "published", version: { version: 1 } });
  expect((await readdir(keys)).sort()).toEqual([
    "metadata",
    "model-signing",
    "release-linear.pem",
    "root.pem",
    "targets.pem",
  ]);
  const role = site.targetsOf("project-linear");
  const path = `linear/${first.version.digest}.json`;
  expect(role.signed.targets[path]).toMatchObject({
    length: Buffer.byteLength(first.bundle?.text ?? ""),
    hashes: { sha256: first.version.digest },
    custom: { model: "linear", release: 1 },
  });
  expect(site.targetsOf("targets").signed.delegations?.roles?.["project-linear"]).toMatchObject({
    paths: ["linear/*"],
    threshold: 1,
    terminating: true,
  });
  expect((await site.api.trust()).versions).toMatchObject({ root: 1, targets: 2, "project-linear": 1 });

  const second = await published(await describeModel("a,b\n5,6\n7,8\n"), site.api, ring, ports);
  expect(second.sentBytes).toBeLessThan(first.sentBytes); // The model itself is there already.
  expect((await site.api.trust()).versions).toMatchObject({ targets: 2, "project-linear": 2 });
  const releases = Object.values(site.targetsOf("project-linear").signed.targets).map(
    (target) => target.custom.release,
  );
  expect(releases).toEqual([1, 2]);
});

it("publishing the same again is no new version", async () => {
  await initTrust(site.api, ring, now);
  const what = await describeModel();
  const first = await published(what, site.api, ring, ports);
  const again = await publishModel(what, site.api, ring, { ...ports, now: () => now + 5000, monotonic: Math.random });
  expect(again).toEqual({ outcome: "unchanged", version: first.version, sentBytes: 0, bundle: undefined });
});

it("goes on after an answer that was lost, whether the control plane had taken it or not", async () => {
  await initTrust(site.api, ring, now);
  const lost = { ...site.api, publish: () => Promise.reject(new Error("connection lost")) };
  await expect(publishModel(await describeModel(), lost, ring, ports)).rejects.toThrow("connection lost");
  const taken: PublishApi = {
    ...site.api,
    publish: async (...request) => {
      await site.api.publish(...request);
      throw new Error("connection lost");
    },
  };
  await expect(publishModel(await describeModel(), taken, ring, ports)).rejects.toThrow("connection lost");
  expect(await publishModel(await describeModel(), site.api, ring, ports)).toMatchObject({ outcome: "unchanged" });
  expect(await publishModel(await describeModel("a,b\n9,9\n8,8\n"), site.api, ring, ports)).toMatchObject({
    outcome: "published",
    version: { version: 2 },
  });
});

it("says where to go when trust is missing, a key is elsewhere, or others signed", async () => {
  const what = await describeModel();
  await expect(publishModel(what, site.api, ring, ports)).rejects.toMatchObject({ code: "trust_not_initialised" });
  await initTrust(site.api, ring, now);
  await expect(publishModel(what, site.api, { folder: join(home, "elsewhere") }, ports)).rejects.toMatchObject({
    code: "not_found",
  });
  await publishModel(what, site.api, ring, ports);
  await rm(join(keys, "metadata", "1.project-linear.json"));
  await expect(publishModel(await describeModel("a,b\n0,1\n1,0\n"), site.api, ring, ports)).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringContaining("signed from another folder"),
  });
  await writeFile(join(home, "broken.pem"), "nonsense");
  await expect(readKey(home, "broken")).rejects.toMatchObject({ code: "storage_failed" });
});

it("renews every offline signature for another term", async () => {
  await initTrust(site.api, ring, now);
  await publishModel(await describeModel(), site.api, ring, ports);
  const later = now + 80 * 86_400_000;
  expect((await renewTrust(site.api, ring, later)).versions).toEqual({ targets: 3, "project-linear": 2 });
  expect(site.targetsOf("project-linear").signed.expires).toBe("2026-06-20T00:00:00Z");
  expect(Object.keys(site.targetsOf("project-linear").signed.targets)).toHaveLength(1);
  expect(site.targetsOf("targets").signed.unrecognizedFields).toHaveProperty(targetsExtensionField);
});
