/**
 * All checks of a version, in their order: what a device would refuse first, then what running it tells. Nothing is believed of
 * the publisher: every byte is read from the registry anew.
 */
import { type Manifest, parseManifest } from "@vedette/protocol/bundle";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { GateCheck } from "@vedette/protocol/gate-api";
import { parseGolden } from "@vedette/protocol/golden";
import { lintModel } from "@vedette/protocol/onnx/lint-model";
import type { Database } from "../../db/database.ts";
import type { VersionRecord } from "../../db/records.ts";
import type { BlobStore } from "../../ports.ts";
import { checkFile, readFile } from "../../registry/bundle-files.ts";
import { sha256 } from "../../sha256.ts";
import type { TrustRepository } from "../trust-repository.ts";
import { checkAccuracy, type Runnable } from "./check-accuracy.ts";
import { checkBackend, type GateBackend } from "./check-backend.ts";
import { checkInterface } from "./check-interface.ts";
import { failed, passed, unmeasured } from "./checks.ts";

export interface CheckPorts {
  readonly db: { readonly versions: Pick<Database["versions"], "manifest"> };
  readonly trust: Pick<TrustRepository, "assignable">;
  /** Labelled rows by the sha256 of their text. */
  readonly rows: (sha256: string) => Promise<string | undefined>;
  readonly blobs: Pick<BlobStore, "get">;
  /** Nobody signed it yet: a signer does where this report lets it pass. */
  readonly proposed?: boolean;
}

const unsigned = unmeasured(
  "signature",
  "it is proposed: the project's signer signs it where this report lets it pass",
);
const backends: readonly GateBackend[] = ["node-cpu", "wasm"];

/** @throws VedetteError storage_failed, internal where a check could not be made, which is no fault of the version. */
export async function checkVersion(
  version: VersionRecord,
  champion: VersionRecord | undefined,
  { db, trust, blobs, rows, proposed = false }: CheckPorts,
): Promise<GateCheck[]> {
  const signature = proposed ? unsigned : checkSignature(version, trust);
  const text = await db.versions.manifest(version.digest);
  try {
    const manifest = readManifest(version, text);
    for (const file of manifest.files) await checkFile(file, blobs);
    const model = await readFile(fileOf(manifest, manifest.runtime.file), blobs);
    const golden = parseGolden(manifest, await readFile(fileOf(manifest, manifest.golden.file), blobs));
    // Before a process is started for it.
    lintModel(model);
    const why = `${manifest.files.length} files of ${version.bytes} bytes are what the manifest names`;
    const checks = [signature, passed("manifest", why)];
    for (const backend of backends) {
      if (manifest.requires.backends.includes(backend)) {
        checks.push(...(await checkBackend(manifest, model, golden, backend)));
      } else {
        checks.push(unmeasured(`golden.${backend}`, `its bundle is not for ${backend}`));
      }
    }
    const beside = champion && (await readChampion(champion, { db, blobs }));
    checks.push(checkInterface(manifest, beside));
    // A graph that does not run here has nothing to be compared by.
    if (checks.some((one) => one.name === "golden.node-cpu" && one.passed === false)) return checks;
    const runnable = { version: version.version, manifest, model };
    checks.push(await checkAccuracy(runnable, beside, rows));
    return checks;
  } catch (error) {
    if (!(error instanceof VedetteError) || ["storage_failed", "internal"].includes(error.code)) throw error;
    return [signature, failed("manifest", messageOf(error))];
  }
}

/** Undefined where there is no manifest of it. @throws VedetteError as `readFile`. */
async function readChampion(
  { version, digest }: VersionRecord,
  { db, blobs }: Pick<CheckPorts, "db" | "blobs">,
): Promise<Runnable | undefined> {
  const text = await db.versions.manifest(digest);
  if (text === undefined) return undefined;
  const manifest = parseManifest(text);
  return { version, manifest, model: await readFile(fileOf(manifest, manifest.runtime.file), blobs) };
}

function checkSignature({ model, digest }: VersionRecord, trust: CheckPorts["trust"]): GateCheck {
  const assignable = trust.assignable(model, digest);
  if (assignable === "yes") {
    return passed("signature", "the project's signed metadata list it, at or above the floor");
  }
  const why =
    assignable === "revoked" ? "it is revoked: publish it anew" : "the project's signed metadata do not list it";
  return failed("signature", why);
}

function readManifest({ model, version, digest }: VersionRecord, text: string | undefined): Manifest {
  if (text === undefined) throw new VedetteError("not_found", `${model} version ${version} has no manifest here`);
  const actual = sha256(text);
  if (actual !== digest) {
    throw new VedetteError(
      "digest_mismatch",
      `the manifest of ${model} version ${version} has sha256 ${actual}, not ${digest}`,
    );
  }
  return parseManifest(text);
}

function fileOf(manifest: Manifest, path: string): Manifest["files"][number] {
  const file = manifest.files.find((one) => one.path === path);
  if (file) return file;
  throw new VedetteError("invalid_manifest", `the manifest names no file ${path}`);
}
