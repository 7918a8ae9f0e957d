/**
 * Receives one assigned version: trust first, then its manifest, then its chunks. After it resolves, every byte of the
 * bundle is on the device and hashes as signed metadata says. `model-keeper.ts` calls it again after any failure: what is
 * there already is hashed, not fetched.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { type AgentAbilities, lacks } from "@vedette/protocol/capability";
import { VedetteError } from "@vedette/protocol/errors";
import type { AssignedSlot } from "@vedette/protocol/messages";
import type { Requester } from "../link/requester.ts";
import type { TrustedTargets } from "../ports.ts";
import { type ChunkPorts, fetchChunks } from "./fetch-chunks.ts";

export interface FetchPorts extends ChunkPorts {
  readonly requester: Requester;
  readonly abilities: AgentAbilities;
}

/**
 * @param slot what the director assigned. @param trusted what the release keys signed: both must agree.
 * @throws VedetteError unknown_target, digest_mismatch, length_mismatch, revoked, invalid_manifest, unsupported — the
 *   version is not to be had as it is; timeout, offline, not_found, storage_failed and others — it may come later.
 */
export async function fetchBundle(slot: AssignedSlot, trusted: TrustedTargets, ports: FetchPorts): Promise<Manifest> {
  await checkTrust(slot, trusted);
  const manifest = (await ports.store.manifest(slot.digest)) ?? (await fetchManifest(slot, ports));
  checkFit(manifest, slot, ports.abilities);
  await fetchChunks(
    manifest.files.flatMap((file) => file.chunks),
    ports,
  );
  return manifest;
}

async function checkTrust(slot: AssignedSlot, trusted: TrustedTargets): Promise<void> {
  const release = await trusted.release(slot.model, slot.digest, slot.length);
  if (release !== slot.release) {
    const what = `the director calls ${slot.digest} release ${slot.release} of ${slot.model}`;
    throw new VedetteError("unknown_target", `${what}, signed metadata says ${release}: they must agree`);
  }
  const floor = trusted.extension.floors[slot.model] ?? 0;
  if (release < floor) {
    throw new VedetteError(
      "revoked",
      `release ${release} of ${slot.model} is under the floor ${floor}: it was revoked`,
    );
  }
}

async function fetchManifest(slot: AssignedSlot, ports: FetchPorts): Promise<Manifest> {
  const bytes = utf8(await ports.requester.ask({ kind: "manifest", digest: slot.digest }));
  if (bytes.length !== slot.length) {
    const lengths = `${bytes.length} bytes where ${slot.length} were signed`;
    throw new VedetteError(
      "length_mismatch",
      `the manifest of ${slot.model} has ${lengths}: it is not the one assigned`,
    );
  }
  return ports.store.putManifest(slot.digest, bytes);
}

/** The director assigns only what a device can run; a device checks all the same. */
function checkFit(manifest: Manifest, slot: AssignedSlot, abilities: AgentAbilities): void {
  if (manifest.model !== slot.model) {
    const models = `is of model ${manifest.model} and was assigned as ${slot.model}`;
    throw new VedetteError("invalid_manifest", `bundle ${slot.digest} ${models}: publish it under its own name`);
  }
  const missing = lacks(manifest.requires, abilities);
  if (missing.length > 0) {
    throw new VedetteError(
      "unsupported",
      `release ${slot.release} of ${slot.model} needs ${missing.join("; ")}: update this agent`,
    );
  }
}
