/**
 * What a signer thinks of a proposed version: every reason for which it does not sign, one check after the other. No I/O: the
 * control plane's words come in as they came, what is known comes from this machine. `run-signer.ts` then reads the bytes.
 */
import { isDeepStrictEqual } from "node:util";
import { type Manifest, maxManifestBytes, parseManifest } from "@vedette/protocol/bundle";
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { type GateReport, gateOverride, gateReport } from "@vedette/protocol/gate-api";
import { longestProposalMs, longestReportMs, proposal, type Release } from "@vedette/protocol/release-api";
import { openSigned, type SignedText } from "@vedette/protocol/signed";
import { maxMetadataBytes, metadataLifetimes, roleOf, targetCustom } from "@vedette/protocol/trust";
import type { z } from "zod";
import { keyidOf } from "../publish/offline-keys.ts";
import {
  addRelease,
  extensionOf,
  readAny,
  readTargets,
  signersIn,
  versionOf,
  withVersion,
} from "../publish/trust-metadata.ts";
import { stateOf } from "../release/gate/state-of.ts";
import { sha256 } from "../sha256.ts";
import { verifyEd25519 } from "../verify-ed25519.ts";
import { otherSigned, type SignedEntry, type SignerConfig } from "./signer-home.ts";

/** What the signer knows by itself. Metadata are its own verified copies (`publish/sync-trust.ts`). */
export interface Known {
  readonly config: SignerConfig;
  /** Of its own key. */
  readonly keyid: string;
  readonly root: string;
  readonly targets: string;
  /** Undefined: the project has none yet. */
  readonly project: string | undefined;
  readonly signed: readonly SignedEntry[];
  /** Moment of the newest report that it saw of this digest, ISO. */
  readonly newestReport: string | undefined;
  /** UTC ms. */
  readonly now: number;
}
export interface Judged {
  readonly release: number;
  readonly digest: string;
  readonly manifest: Manifest;
  /** The project's next metadata: unsigned, or with the signatures of others. */
  readonly text: string;
  readonly proposedAt: string | null;
  readonly reportAt: string;
}

/** Clocks differ by so much. */
const slackMs = 5 * 60_000;
/** So many versions of the metadata may have been signed by others, and lost on the way. */
const mostLost = 100;

/** @throws VedetteError saying why it is not signed, for the operator. */
export async function judgeOffer(offer: Release, known: Known): Promise<Judged> {
  checkTrust(known);
  const { manifest, digest, length } = readManifest(offer, known.config);
  const proposedAt = await checkProposal(offer.proposal, digest, known);
  const release = nextRelease(digest, known);
  const report = await checkReport(offer.report, { digest, release }, known);
  await checkPassed(report, offer.override, manifest, known);
  const text = nextText(offer.draft, { digest, length, release }, known);
  return { release, digest, manifest, text, proposedAt, reportAt: report.at };
}

/** Its key must count, by metadata that still hold. */
function checkTrust({ config, keyid, root, targets, now }: Known): void {
  const role = roleOf(config.model);
  for (const [name, text] of Object.entries({ root, targets })) {
    const { expires } = readAny(text).signed;
    if (Date.parse(expires) > now) continue;
    throw new VedetteError("expired", `the site's ${name} metadata expired at ${expires}: vedette keys renew`);
  }
  const signers = signersIn(readTargets(targets, "targets").signed, role);
  if (signers?.keys.some((key) => key.keyid === keyid)) return;
  throw new VedetteError(
    "forbidden",
    `this signer's key ${keyid.slice(0, 8)} may not sign ${role}: vedette keys rotate --role project --model ${config.model} --add <its .pub>`,
  );
}

function readManifest({ manifest: text, digest: said }: Release, { model }: SignerConfig) {
  const bytes = utf8(text);
  // What is read is what is hashed, whatever is no Unicode in the text.
  const hashed = fromUtf8(bytes);
  if (bytes.length > maxManifestBytes) throw new VedetteError("too_large", `the manifest has ${bytes.length} bytes`);
  const digest = sha256(bytes);
  if (digest !== said) {
    throw new VedetteError("digest_mismatch", `the manifest sent has sha256 ${digest}, and not ${said}`);
  }
  const manifest = parseManifest(hashed);
  if (manifest.model === model) return { manifest, digest, length: bytes.length };
  throw new VedetteError(
    "forbidden",
    `the manifest is of model ${manifest.model}, and this signer signs ${model} only`,
  );
}

/** Who wants it released, and when; null where anybody may. */
async function checkProposal(signed: SignedText, digest: string, known: Known): Promise<string | null> {
  const { config, now } = known;
  if (config.proposers === null) return null;
  const keys = config.proposers.map(({ publicKey }) => publicKey);
  const said = await open("proposal", proposal, signed, keys, "nobody who may propose for this signer did");
  checkAbout("proposal", said, { ...config, digest });
  const at = Date.parse(said.at);
  if (isToCome(said.at, now)) throw new VedetteError("expired", `it was proposed at ${said.at}, which is yet to come`);
  if (at < now - longestProposalMs) {
    throw new VedetteError("expired", `it was proposed at ${said.at}, which is too long ago: propose it again`);
  }
  const newer = known.signed.find((one) => one.digest !== digest && Date.parse(one.proposedAt ?? "") > at);
  if (!newer) return said.at;
  throw new VedetteError(
    "replayed",
    `it was proposed at ${said.at}, before release ${newer.release}, which is signed already: propose it again if it is wanted`,
  );
}

/** The number that it gets: the next one, under which nothing else was ever signed here, and not below the floor. */
function nextRelease(digest: string, { config, project, targets, signed }: Known): number {
  if (project === undefined) {
    throw new VedetteError("not_found", `${config.model} has no version yet: the first one is published by hand`);
  }
  const listed = Object.values(readTargets(project, roleOf(config.model)).signed.targets);
  const there = listed.find((target) => target.hashes.sha256 === digest);
  if (there) throw new VedetteError("conflict", `it is release ${targetCustom.parse(there.custom).release} already`);
  const release = Math.max(0, ...listed.map((target) => targetCustom.parse(target.custom).release)) + 1;
  const other = signed.find((one) => one.release === release && one.digest !== digest);
  if (other) throw otherSigned(release, other.digest);
  const floor = extensionOf(targets).floors[config.model] ?? 0;
  if (release >= floor) return release;
  throw new VedetteError("revoked", `it would be release ${release}, and everything below ${floor} is revoked`);
}

/** Whether a moment, ISO, is so far ahead that a clock is wrong, here or where it was written. @param now UTC ms. */
export function isToCome(at: string, now: number): boolean {
  return Date.parse(at) > now + slackMs;
}

/** A report that the gate signed, of whatever it is. @throws VedetteError unsigned, bad_signature, invalid_message. */
export async function openReport(signed: SignedText | null, { gateKeys }: SignerConfig): Promise<GateReport> {
  if (!signed) throw new VedetteError("unsigned", "it comes without a report of the gate");
  const why = "its report is not signed by the gate whose key this signer was told";
  return open("gate-report", gateReport, signed, gateKeys, why);
}

async function checkReport(
  signed: SignedText | null,
  about: { digest: string; release: number },
  { config, newestReport, now }: Known,
): Promise<GateReport> {
  const report = await openReport(signed, config);
  checkAbout("gate's report", report, { ...config, digest: about.digest });
  if (report.version !== about.release) {
    throw new VedetteError("conflict", `the gate's report is of version ${report.version}, not ${about.release}`);
  }
  const at = Date.parse(report.at);
  if (isToCome(report.at, now))
    throw new VedetteError("expired", `the gate's report is of ${report.at}, which is yet to come`);
  if (at < now - longestReportMs) throw new VedetteError("expired", `the gate's report is of ${report.at}: too old`);
  if (newestReport === undefined || Date.parse(newestReport) <= at) return report;
  throw new VedetteError(
    "replayed",
    `the gate's report is of ${report.at}, and there was a newer one, of ${newestReport}`,
  );
}

/** Nothing failed, and what must have been looked at was. */
async function checkPassed(
  report: GateReport,
  signed: SignedText | null,
  manifest: Manifest,
  { config, now }: Known,
): Promise<void> {
  const must = ["manifest", ...manifest.requires.backends.map((backend) => `golden.${backend}`)];
  const unseen = must.filter((name) => !report.checks.some((one) => one.name === name && one.passed !== null));
  if (unseen.length > 0) {
    throw new VedetteError("conflict", `the gate's report says nothing of ${unseen.join(", ")}`);
  }
  const alone = stateOf(report, "none", now);
  if (alone.state === "passed") return;
  if (!config.acceptOverrides || !signed) {
    const not = signed ? "; an operator let it pass, which this signer does not accept (--accept-overrides)" : "";
    throw new VedetteError("conflict", `the gate does not let it pass: ${alone.why}${not}`);
  }
  const why = "its override is not signed by the gate whose key this signer was told";
  const override = await open("gate-override", gateOverride, signed, config.gateKeys, why);
  checkAbout("override", override, { ...config, digest: report.digest });
  if (override.version !== report.version) {
    throw new VedetteError("conflict", `the override is of version ${override.version}, not ${report.version}`);
  }
  const overridden = stateOf(report, override, now);
  if (overridden.state === "overridden") return;
  throw new VedetteError("conflict", `the gate does not let it pass: ${overridden.why}`);
}

/** The metadata as they stand here, and this one target more: whoever began them, they may say nothing else. */
function nextText(
  draft: string | null,
  { digest, length, release }: { digest: string; length: number; release: number },
  { config, project, signed, now }: Known,
): string {
  const standing = project === undefined ? 0 : versionOf(project);
  const fresh = addRelease(project, config.model, { digest, length }, now);
  const mine = signed.find((one) => one.release === release && one.digest === digest);
  if (draft === null && mine && versionOf(mine.text) > standing && saysTheSame(mine.text, fresh)) {
    // Signed before, and lost on the way: the very same again.
    if (expiresOf(mine.text) > now) return mine.text;
  }
  const others = signed.filter((one) => draft === null || one !== mine).map(({ text }) => versionOf(text));
  const least = Math.max(standing, ...others) + 1;
  if (draft !== null) checkDraft(draft, fresh, least, now);
  const text = draft ?? (versionOf(fresh) >= least ? fresh : withVersion(fresh, least));
  if (utf8(text).length <= maxMetadataBytes.targets) return text;
  throw new VedetteError("too_large", `the project's metadata would have over ${maxMetadataBytes.targets} bytes`);
}

/** What another signer began: but for its version and its end, the very thing that this one would have made. */
function checkDraft(draft: string, expected: string, least: number, now: number): void {
  const wrong = (why: string) =>
    new VedetteError("invalid_metadata", `the metadata that another signer began ${why}: it is not signed`);
  if (!saysTheSame(draft, expected)) throw wrong("say something else than what stands and this one version");
  const version = versionOf(draft);
  // Far ahead, too: after the last of all numbers nothing could ever be published or revoked again.
  if (version < least || version >= least + mostLost) throw wrong(`are version ${version}, and ${least} is the next`);
  const left = expiresOf(draft) - now;
  if (left <= 0 || left > metadataLifetimes.targets * 1000 + slackMs) {
    throw wrong(`would end at ${new Date(expiresOf(draft)).toISOString()}`);
  }
}

/** All but version, end and signatures. */
function saysTheSame(text: string, expected: string): boolean {
  const said = (of: string) => ({ ...readTargets(of, "a project").signed.toJSON(), version: 0, expires: "" });
  return isDeepStrictEqual(said(text), said(expected));
}

function expiresOf(text: string): number {
  return Date.parse(readAny(text).signed.expires);
}

async function open<T extends z.ZodType>(
  type: string,
  schema: T,
  signed: SignedText,
  publicKeys: readonly string[],
  why: string,
): Promise<z.infer<T>> {
  const keys = Object.fromEntries(publicKeys.map((key) => [keyidOf(key), key]));
  const verify = async (...given: Parameters<typeof verifyEd25519>) => verifyEd25519(...given);
  const payload = await openSigned(type, signed, { keys, threshold: 1 }, verify).catch((cause: unknown) => {
    throw new VedetteError("bad_signature", `${why} (${messageOf(cause)})`, { cause });
  });
  try {
    return schema.parse(JSON.parse(payload));
  } catch (cause) {
    throw new VedetteError("invalid_message", `the ${type} does not fit: ${messageOf(cause)}`, { cause });
  }
}

function checkAbout(
  what: string,
  said: { readonly site: string; readonly model: string; readonly digest: string },
  { site, model, digest }: { readonly site: string; readonly model: string; readonly digest: string },
): void {
  if (said.site !== site) throw new VedetteError("forbidden", `the ${what} is of site ${said.site}, not ${site}`);
  if (said.model !== model) throw new VedetteError("forbidden", `the ${what} is of model ${said.model}, not ${model}`);
  if (said.digest === digest) return;
  throw new VedetteError(
    "digest_mismatch",
    `the ${what} is of ${said.digest.slice(0, 12)}, not ${digest.slice(0, 12)}`,
  );
}
