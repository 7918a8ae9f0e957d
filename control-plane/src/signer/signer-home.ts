/**
 * The folder of a signer: what it was told at set-up (`signer.json`), its key and the verified metadata (`keys`), what it signed
 * (`signed`, one file a release number), the newest report that it saw of each digest, and how its last round ended. All of it is
 * written before anything leaves this machine.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { modelName, sha256Hex, siteId } from "@vedette/protocol/ids";
import { ed25519PublicKey } from "@vedette/protocol/signed";
import { z } from "zod";
import { readIfThere, syncFolder, writeWhole } from "../durable-file.ts";

const signerConfig = z.strictObject({
  format: z.literal("vedette.signer/1"),
  site: siteId,
  /** The only model that it signs for. */
  model: modelName,
  /** Name of its key. */
  key: z.string().min(1),
  /** Of the site's first root: all other metadata are verified from there. */
  rootSha256: sha256Hex,
  /** Public keys of the gate, as its owner told them; never what the control plane says. */
  gateKeys: z.array(ed25519PublicKey).min(1).max(8, "a signer believes 8 keys of the gate at most"),
  /** Who may propose; null: anybody who reaches the control plane. */
  proposers: z
    .array(z.object({ name: z.string(), publicKey: ed25519PublicKey }))
    .max(64, "a signer believes 64 proposers at most")
    .nullable(),
  /** Whether a version that failed the gate is signed where an operator let it pass. */
  acceptOverrides: z.boolean(),
});
export type SignerConfig = z.infer<typeof signerConfig>;

/** What was signed under a release number: never another digest under the same. */
const signedEntry = z.object({
  release: z.int().min(1),
  digest: sha256Hex,
  /** ISO date-times. */
  proposedAt: z.string().nullable(),
  signedAt: z.string(),
  /** The project's metadata, with this signer's signature. */
  text: z.string(),
});
export type SignedEntry = z.infer<typeof signedEntry>;

const seenReports = z.record(sha256Hex, z.iso.datetime());
/** Digests whose newest report is remembered. */
const mostSeen = 200;

const signerStatus = z.object({
  at: z.iso.datetime(),
  outcome: z.enum(["idle", "signed", "refused", "failed"]),
  release: z.int().nullable(),
  version: z.int().nullable(),
  why: z.string(),
});
export type SignerStatus = z.infer<typeof signerStatus>;

export interface SignerHome {
  readonly folder: string;
  /** @throws VedetteError not_found where nothing was set up; storage_failed. */
  config(): Promise<SignerConfig>;
  /** @throws VedetteError invalid_argument where it names too many; storage_failed. */
  writeConfig(config: SignerConfig): Promise<void>;
  /** All that was signed, by release number. @throws VedetteError storage_failed where a file is damaged. */
  signed(): Promise<SignedEntry[]>;
  /**
   * Before anything is sent.
   * @throws VedetteError conflict where another digest was signed under its number; busy where another signer over this folder
   *   signs the same just now.
   */
  noteSigned(entry: SignedEntry): Promise<void>;
  /** Moment of the newest report seen of a digest, ISO. */
  newestReport(digest: string): Promise<string | undefined>;
  noteReport(digest: string, at: string): Promise<void>;
  status(): Promise<SignerStatus | undefined>;
  writeStatus(status: SignerStatus): Promise<void>;
}

export function openSignerHome(folder: string): SignerHome {
  const file = (name: string) => join(folder, name);
  const place = (release: number) => join(folder, "signed", `${release}.json`);
  const write = async (path: string, value: unknown) => {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeWhole(path, `${JSON.stringify(value, null, 2)}\n`);
    } catch (cause) {
      throw new VedetteError("storage_failed", `${path} cannot be written: ${messageOf(cause)}`, { cause });
    }
  };
  const seen = async () => (await read(file("reports.json"), seenReports)) ?? {};
  const entry = async (release: number) => read(place(release), signedEntry);

  return {
    folder,
    async config() {
      const config = await read(file("signer.json"), signerConfig);
      if (config) return config;
      throw new VedetteError("not_found", `${folder} is no signer's: set one up with \`vedette signer init\``);
    },
    async writeConfig(config) {
      const parsed = signerConfig.safeParse(config);
      // Once written, it could not be read any more.
      if (!parsed.success) throw new VedetteError("invalid_argument", `${parsed.error.issues[0]?.message}`);
      await write(file("signer.json"), config);
    },
    async signed() {
      const names = await readdir(join(folder, "signed")).catch((cause: unknown) => {
        if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw new VedetteError("storage_failed", `what was signed cannot be read: ${messageOf(cause)}`, { cause });
      });
      const numbers = names.flatMap((name) => /^([1-9][0-9]*)\.json$/.exec(name)?.[1] ?? []).map(Number);
      const entries = await Promise.all(numbers.sort((a, b) => a - b).map(entry));
      return entries.filter((one) => one !== undefined);
    },
    async noteSigned(next) {
      const before = await entry(next.release);
      if (before && before.digest !== next.digest) throw otherSigned(next.release, before.digest);
      if (before) return write(place(next.release), next);
      if (await writeFirst(place(next.release), next)) return;
      const other = (await entry(next.release))?.digest ?? "";
      if (other !== next.digest) throw otherSigned(next.release, other);
      throw new VedetteError(
        "busy",
        `another signer over ${folder} signs release ${next.release} just now: one is enough`,
      );
    },
    newestReport: async (digest) => (await seen())[digest],
    async noteReport(digest, at) {
      const { [digest]: before, ...others } = await seen();
      if (before === at) return;
      const kept = Object.entries(others).slice(1 - mostSeen);
      await write(file("reports.json"), Object.fromEntries([...kept, [digest, at]]));
    },
    status: () => read(file("status.json"), signerStatus),
    writeStatus: (status) => write(file("status.json"), status),
  };
}

/** Whole or not at all, and only where there is none: two signers over one folder must not sign two things. False: there is one. */
async function writeFirst(path: string, entry: SignedEntry): Promise<boolean> {
  const folder = join(path, "..");
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(draft, `${JSON.stringify(entry)}\n`, { mode: 0o600, flush: true });
    await link(draft, path);
    await syncFolder(folder);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new VedetteError("storage_failed", `${path} cannot be written: ${messageOf(cause)}`, { cause });
  } finally {
    await rm(draft, { force: true });
  }
}

export function otherSigned(release: number, digest: string): VedetteError {
  return new VedetteError(
    "conflict",
    `this signer has signed ${digest.slice(0, 12)} as release ${release}, and signs nothing else under that number: ` +
      "propose that one again, or publish this one by hand",
  );
}

async function read<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T> | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new VedetteError(
      "storage_failed",
      `${path} is damaged (${messageOf(cause)}): restore it from a copy; nothing is signed meanwhile`,
      { cause },
    );
  }
}
