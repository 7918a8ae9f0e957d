/**
 * Port TrustClient on tuf-js. Its Updater wants a folder and writes it file by file, which a power failure could leave
 * half-old: so each refresh works in a staging folder, and what it ends with replaces one state file at once. The versions
 * seen are kept in a second file besides, so that a lost or damaged state file cannot let older metadata in.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import {
  maxMetadataBytes,
  type TargetsExtension,
  targetCustom,
  targetPath,
  targetsExtension,
  targetsExtensionField,
} from "@vedette/protocol/trust";
import { type Fetcher, Updater } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";
import { z } from "zod";
import type { Crypto, Storage, TrustClient, TrustedTargets } from "../core/ports.ts";
import { trustFault } from "./tuf-faults.ts";
import { readVersions, refuseRollback, type SeenVersions, type TrustedSet, versionsOf } from "./tuf-versions.ts";

export interface TufTrustOptions {
  readonly storage: Storage;
  readonly crypto: Crypto;
  /** A folder that this client may make and remove folders in. */
  readonly stagingFolder: string;
  /** The first root, as the enrolment brought it, and the sha256 that the enrolment token pinned. */
  readonly pinnedRoot: string;
  readonly pinnedRootSha256: string;
}

const stateFile = "trust/metadata.json";
const versionsFile = "trust/versions.json";
/** Texts of the trusted metadata by role. */
const savedState = z.record(z.string().regex(/^[a-z0-9-]{1,80}$/), z.string());
type Fetch = Parameters<TrustClient["refresh"]>[0];

/**
 * @throws VedetteError digest_mismatch where the root is not the one that the enrolment token pinned.
 */
export async function createTufTrust(options: TufTrustOptions): Promise<TrustClient> {
  const { storage, stagingFolder } = options;
  if ((await options.crypto.sha256(utf8(options.pinnedRoot))) !== options.pinnedRootSha256) {
    throw new VedetteError(
      "digest_mismatch",
      "the root kept on this device is not the one its enrolment pinned: remove the agent's folder and enrol anew",
    );
  }
  await rm(stagingFolder, { recursive: true, force: true });
  await mkdir(stagingFolder, { recursive: true });
  // One after another: a release looked up in the middle of a refresh would see two states.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work);
    last = next.catch(() => undefined); // the caller has the error; the queue goes on
    return next;
  };
  let current: string | undefined;

  return { refresh: (fetch, referenceTime) => inTurn(() => refresh(fetch, referenceTime)) };

  async function refresh(fetch: Fetch, referenceTime: number): Promise<TrustedTargets> {
    const folder = await mkdtemp(join(stagingFolder, "refresh-"));
    try {
      const saved = await readState();
      const seen = readVersions(await readText(versionsFile), saved !== undefined);
      await unpack(folder, saved ?? {});
      const session = openUpdater(folder, fetch, referenceTime);
      await session.guarded(() => session.updater.refresh());
      const versions = versionsOf(session.trusted);
      refuseRollback(seen, versions);
      const extension = parseExtension(session.trusted);
      await save(folder, versions);
      if (current) await rm(current, { recursive: true, force: true });
      current = folder;
      return { extension, release: (...of) => inTurn(() => release(session, folder, versions, ...of)) };
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async function release(
    session: UpdaterSession,
    folder: string,
    versions: SeenVersions,
    model: string,
    digest: string,
    length: number,
  ): Promise<number> {
    if (folder !== current)
      throw new VedetteError("conflict", "these targets are of an earlier refresh: use the latest");
    const path = targetPath(model, digest);
    const target = await session.guarded(() => session.updater.getTargetInfo(path));
    await save(folder, versions);
    if (!target) {
      throw new VedetteError("unknown_target", `${path} is in no signed metadata of this site: it was never released`);
    }
    if (target.hashes.sha256 !== digest) {
      throw new VedetteError(
        "digest_mismatch",
        `signed metadata gives ${path} another sha256: ${target.hashes.sha256}`,
      );
    }
    if (target.length !== length) {
      throw new VedetteError("length_mismatch", `${path} was signed with ${target.length} bytes, not ${length}`);
    }
    const custom = targetCustom.safeParse(target.custom);
    if (!custom.success || custom.data.model !== model) {
      throw new VedetteError("invalid_metadata", `${path} was signed without its model and release: publish it again`);
    }
    return custom.data.release;
  }

  /** The trusted texts by role; a damaged file is as good as none, since the versions are kept apart. */
  async function readState(): Promise<z.infer<typeof savedState> | undefined> {
    const parsed = savedState.safeParse(parseJson(await readText(stateFile)));
    return parsed.success ? parsed.data : undefined;
  }

  /** Lays out what is trusted as the Updater wants it. */
  async function unpack(folder: string, saved: z.infer<typeof savedState>): Promise<void> {
    for (const [role, text] of Object.entries({ root: options.pinnedRoot, ...saved })) {
      await writeFile(join(folder, `${role}.json`), text);
    }
  }

  /** Versions first: should the power fail between the two, the worst is that metadata is fetched again. */
  async function save(folder: string, versions: SeenVersions): Promise<void> {
    const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
    const state = Object.fromEntries(names.map((name, i) => [name.slice(0, -".json".length), texts[i]]));
    await replace(versionsFile, JSON.stringify(versions));
    await replace(stateFile, JSON.stringify(state));
  }

  /** Spares the flash: most refreshes change nothing. */
  async function replace(path: string, text: string): Promise<void> {
    if ((await readText(path)) !== text) await storage.write(path, utf8(text));
  }

  async function readText(path: string): Promise<string | undefined> {
    const bytes = await storage.read(path);
    return bytes && new TextDecoder().decode(bytes);
  }
}

interface UpdaterSession {
  readonly updater: Updater;
  readonly trusted: TrustedSet;
  /** Runs a step of the Updater; what it throws becomes a fault of the protocol. */
  guarded<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * An Updater whose fetches go through `fetch` and whose clock is `referenceTime`. It wraps some errors in others and drops
 * the cause, so the last one seen at its edges is remembered and told instead.
 * @throws VedetteError where the root in the folder is not good.
 */
function openUpdater(folder: string, fetch: Fetch, referenceTime: number): UpdaterSession {
  let witnessed: unknown;
  let text: string | undefined;
  const witness = (error: unknown) => {
    witnessed = error;
    return error;
  };
  const fetcher: Fetcher = {
    async downloadBytes(url, maxLength) {
      witnessed = undefined;
      const file = decodeURIComponent(url.slice(url.lastIndexOf("/") + 1));
      text = await fetch(file).catch((error: unknown) => {
        throw witness(error);
      });
      if (text === undefined) throw witness(new DownloadHTTPError(`${file} is not there`, 404));
      const bytes = Buffer.from(text);
      if (bytes.length <= maxLength) return bytes;
      throw witness(
        new VedetteError("invalid_metadata", `${file} has ${bytes.length} bytes, over the ${maxLength} it may have`),
      );
    },
    downloadFile: () => Promise.reject(new VedetteError("internal", "targets are never fetched through tuf-js")),
  };
  const updater = openChecked(folder, fetcher);
  // Updater keeps to itself the clock it judges by and what it trusts; there is no other way to either.
  const trusted = (updater as unknown as { trustedSet: TrustedSet }).trustedSet;
  trusted.referenceTime = new Date(referenceTime);
  for (const step of ["updateRoot", "updateTimestamp", "updateSnapshot", "updateDelegatedTargets"] as const) {
    const original = trusted[step].bind(trusted);
    trusted[step] = (...given) => {
      witnessed = undefined;
      try {
        return original(...given);
      } catch (error) {
        throw witness(error);
      }
    };
  }
  return {
    updater,
    trusted,
    async guarded(work) {
      try {
        return await work();
      } catch (error) {
        throw trustFault(witnessed ?? error, text);
      }
    },
  };
}

function openChecked(folder: string, fetcher: Fetcher): Updater {
  try {
    return new Updater({
      metadataDir: folder,
      metadataBaseUrl: "vedette:/",
      fetcher,
      config: {
        rootMaxLength: maxMetadataBytes.root,
        timestampMaxLength: maxMetadataBytes.timestamp,
        snapshotMaxLength: maxMetadataBytes.snapshot,
        targetsMaxLength: maxMetadataBytes.targets,
      },
    });
  } catch (error) {
    throw trustFault(error, undefined);
  }
}

function parseExtension(trusted: TrustedSet): TargetsExtension {
  const field = trusted.targets?.signed.unrecognizedFields[targetsExtensionField];
  const parsed = targetsExtension.safeParse(field);
  if (parsed.success) return parsed.data;
  const why = parsed.error.issues[0]?.message ?? "";
  throw new VedetteError(
    "invalid_metadata",
    `targets metadata has no good ${targetsExtensionField} (${why}): sign it anew`,
  );
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined; // damaged: as good as none
  }
}
