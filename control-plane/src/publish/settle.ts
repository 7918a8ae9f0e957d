/**
 * Signing in turns. Whatever the commands change is a draft: metadata that stand together, all or none. Keys that lie here
 * sign it; once each role has its threshold it is put (or published), and until then it waits in a file that goes from
 * operator to operator. The file holds no secret.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { publishVersion } from "@vedette/protocol/api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";
import { listKeys, type OfflineKey } from "./offline-keys.ts";
import { keepSigned } from "./signed-metadata.ts";
import type { Publication, SignedMetadata, TrustApi } from "./trust-api.ts";
import { readAny, readRoot, readTargets, type Signers, sign, signersIn, versionOf } from "./trust-metadata.ts";

/** Where the operator's keys lie, and what opens those that a passphrase keeps. */
export interface KeyRing {
  readonly folder: string;
  readonly passphrase?: string | undefined;
}

const draftFile = z.object({
  format: z.literal("vedette.pending/1"),
  site: z.string(),
  /** For those who are asked to sign. */
  what: z.string(),
  metadata: z.array(z.object({ role: z.string(), text: z.string() })).min(1),
  /** What stands: by it the new texts are signed. */
  trusted: z.object({ root: z.string().optional(), targets: z.string().optional() }),
  publication: publishVersion.omit({ metadata: true }).extend({ model: z.string() }).optional(),
});
export type Draft = z.infer<typeof draftFile>;

/** How far a role of a draft is with one of those who must sign it. */
export interface Standing {
  readonly role: string;
  readonly version: number;
  readonly threshold: number;
  /** Names of the holders, and ids of their keys. */
  readonly signed: readonly string[];
  readonly open: readonly string[];
}
export type SettleApi<Answer> = Pick<TrustApi, "putMetadata"> & {
  publish(
    model: string,
    manifest: string,
    metadata: SignedMetadata[],
    modelSignature?: Publication["modelSignature"],
  ): Promise<Answer>;
};
export type Settled<Answer> =
  | { readonly outcome: "put"; readonly answer: Answer | undefined; readonly standing: readonly Standing[] }
  | { readonly outcome: "pending"; readonly file: string; readonly standing: readonly Standing[] };

/** Most roles that one request may carry. */
const rolesPerRequest = 8;

/**
 * Signs with every key here that may, then puts, or leaves the draft as a file for the others.
 * @throws VedetteError not_found where none of the keys here may sign; and as the API does.
 */
export async function settle<Answer>(draft: Draft, ring: KeyRing, api: SettleApi<Answer>): Promise<Settled<Answer>> {
  const signed = await signHere(draft, ring);
  const standing = standingOf(signed);
  if (standing.some(lacks)) {
    return { outcome: "pending", file: await keepDraft(ring.folder, signed), standing };
  }
  for (const { role, text } of signed.metadata) await keepSigned(ring.folder, role, text);
  const answer = await submit(signed, api);
  await rm(draftPath(ring.folder, signed), { force: true });
  return { outcome: "put", answer, standing };
}

async function submit<Answer>(draft: Draft, api: SettleApi<Answer>): Promise<Answer | undefined> {
  const { metadata, publication } = draft;
  if (publication) {
    return api.publish(publication.model, publication.manifest, metadata, publication.modelSignature);
  }
  for (let at = 0; at < metadata.length; at += rolesPerRequest) {
    await api.putMetadata(metadata.slice(at, at + rolesPerRequest));
  }
  return undefined;
}

/** @throws VedetteError not_found where none of the keys here may sign what is still open. */
async function signHere(draft: Draft, ring: KeyRing): Promise<Draft> {
  const here = await listKeys(ring.folder, ring.passphrase);
  const opened = new Map<string, OfflineKey>();
  const metadata: SignedMetadata[] = [];
  for (const entry of draft.metadata) {
    const wanted = new Set(signersOf(draft, entry).flatMap(({ keys }) => keys.map((key) => key.keyid)));
    const keys: OfflineKey[] = [];
    for (const file of here.filter(({ keyid }) => wanted.has(keyid))) {
      const key = opened.get(file.keyid) ?? (await file.open());
      opened.set(file.keyid, key);
      keys.push(key);
    }
    metadata.push({ role: entry.role, text: sign(entry.text, keys) });
  }
  if (opened.size > 0) return { ...draft, metadata };
  const names = standingOf(draft).map(({ role, open }) => `${role} by ${open.join(", ")}`);
  throw new VedetteError(
    "not_found",
    `no key in ${ring.folder} may sign this (${names.join("; ")}): run this where such a key is kept, or copy it here (mode 0600)`,
  );
}

/** How each role stands with each of those who must sign it: a new root has two, the one before and itself. */
function standingOf(draft: Draft): Standing[] {
  return draft.metadata.flatMap((entry) =>
    signersOf(draft, entry).map(({ keys, threshold }) => {
      const { signatures } = readAny(entry.text);
      const show = (key: Signers["keys"][number]) => `${key.name} ${key.keyid.slice(0, 8)}`;
      const done = (key: Signers["keys"][number]) => Object.hasOwn(signatures, key.keyid);
      return {
        role: entry.role,
        version: versionOf(entry.text),
        threshold,
        signed: keys.filter(done).map(show),
        open: keys.filter((key) => !done(key)).map(show),
      };
    }),
  );
}

function lacks({ signed, threshold }: Standing): boolean {
  return signed.length < threshold;
}

/** Those by whose thresholds a text is to be signed: TUF 5.3.4 for root, the delegating role for the others. */
function signersOf(draft: Draft, { role, text }: SignedMetadata): Signers[] {
  const of = (name: string) => draft.metadata.find((one) => one.role === name)?.text;
  const signers = (by: string | undefined, read: typeof readRoot | typeof readTargets): Signers[] => {
    const found = by === undefined ? undefined : signersIn(read(by, "targets").signed, role);
    return found ? [found] : [];
  };
  if (role === "root") {
    const [before, itself] = [signers(draft.trusted.root, readRoot), signers(text, readRoot)];
    return isDeepStrictEqual(before, itself) ? itself : [...before, ...itself];
  }
  const found =
    role === "targets"
      ? signers(of("root") ?? draft.trusted.root, readRoot)
      : signers(of("targets") ?? draft.trusted.targets, readTargets);
  if (found.length > 0) return found;
  throw new VedetteError("invalid_metadata", `nobody is delegated to sign ${role}: is it a model of this site?`);
}

function draftPath(folder: string, draft: Draft): string {
  const names = draft.metadata.map(({ role, text }) => `${versionOf(text)}.${role}`);
  return join(folder, "pending", `${names[0]}${names.length > 1 ? `+${names.length - 1}` : ""}.json`);
}

async function keepDraft(folder: string, draft: Draft): Promise<string> {
  const path = draftPath(folder, draft);
  try {
    await mkdir(join(folder, "pending"), { recursive: true, mode: 0o700 });
    await writeFile(path, `${JSON.stringify(draft)}\n`, { mode: 0o600, flush: true });
  } catch (cause) {
    throw new VedetteError(
      "storage_failed",
      `what waits for signatures cannot be kept in ${path}: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
  return path;
}

/** A draft as somebody handed it on. @throws VedetteError invalid_argument. */
export async function readDraft(path: string): Promise<Draft> {
  try {
    return draftFile.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new VedetteError(
      "invalid_argument",
      `${path} is nothing to sign: name a file that a command left under keys/pending`,
      { cause },
    );
  }
}
