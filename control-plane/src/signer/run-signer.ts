/**
 * One look of a signer at what is proposed: takes what others signed since, as far as it verifies; judges each open proposal;
 * reads its bytes; signs; notes what it signed; sends it. Stopped anywhere in between, the next look goes on from what is noted.
 * What it does not sign it says once, and looks at again only when something of it changes.
 */
import { codeOf, type ErrorCode, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Release, ReleaseFacts } from "@vedette/protocol/release-api";
import { roleOf } from "@vedette/protocol/trust";
import type { OfflineKey } from "../publish/offline-keys.ts";
import { newestKept } from "../publish/signed-metadata.ts";
import { syncTrust } from "../publish/sync-trust.ts";
import { sign, versionOf } from "../publish/trust-metadata.ts";
import { checkFile } from "../registry/bundle-files.ts";
import { sha256 } from "../sha256.ts";
import { isToCome, judgeOffer, type Known, openReport } from "./judge-offer.ts";
import type { SignerApi } from "./signer-api.ts";
import type { SignerConfig, SignerHome } from "./signer-home.ts";

export interface SignerEvent {
  readonly outcome: "signed" | "refused";
  readonly release: number;
  readonly digest: string;
  readonly version: number | null;
  readonly why: string;
}
export interface Signer {
  /**
   * What was signed or refused since the last look.
   * @throws VedetteError where it could not look, or send: to be tried again later.
   */
  look(): Promise<SignerEvent[]>;
}

/** Of neither the proposal nor the operators: no reason to refuse anything. */
const passing: readonly ErrorCode[] = [
  ...(["offline", "timeout", "busy", "rate_limited", "internal"] as const),
  ...(["storage_failed", "unauthenticated"] as const),
];
const longestWhy = 2000;
/** One of a model is open at a time: the newest. */
const looksBack = 5;

interface Settled {
  readonly offered: string;
  /** Why it was refused; null: it was not. */
  readonly why: string | null;
  /** Time alone may mend it: a clock was wrong, here or elsewhere. */
  readonly passes: boolean;
}

/** @param key that signs; the folder of the signer's keys holds the verified metadata, too. */
export function createSigner(ports: {
  home: SignerHome;
  keys: string;
  key: OfflineKey;
  api: SignerApi;
  /** UTC ms. */
  now(): number;
}): Signer {
  const { home, keys, key, api, now } = ports;
  /** What became of an offer, so that it is not judged again while nothing of it changes, and nothing is said twice. */
  const settled = new Map<number, Settled>();

  async function known(config: SignerConfig): Promise<Omit<Known, "newestReport">> {
    const [root, targets] = [await newestKept(keys, "root"), await newestKept(keys, "targets")];
    if (root === undefined || targets === undefined) throw new VedetteError("internal", "nothing was synced");
    const project = await newestKept(keys, roleOf(config.model));
    return { config, keyid: key.keyid, root, targets, project, signed: await home.signed(), now: now() };
  }

  /** Also of one that failed: an older one that passed is worth nothing from then on. */
  async function noteReport(offer: Release, config: SignerConfig): Promise<string | undefined> {
    const report = await openReport(offer.report, config).catch((error: unknown) => {
      if (error instanceof VedetteError) return undefined;
      throw error;
    });
    const { site, model } = config;
    const before = await home.newestReport(offer.digest);
    if (report?.digest !== offer.digest || report.site !== site || report.model !== model) return before;
    // Of a clock that was ahead: it signs nothing, and would be the newest until its time has come.
    if (isToCome(report.at, now())) return before;
    if (before !== undefined && Date.parse(before) >= Date.parse(report.at)) return before;
    await home.noteReport(offer.digest, report.at);
    return report.at;
  }

  async function judge(offer: Release, facts: Omit<Known, "newestReport">) {
    const newestReport = await noteReport(offer, facts.config);
    const judged = await judgeOffer(offer, { ...facts, newestReport });
    // Every byte that devices would be given under this digest.
    for (const file of judged.manifest.files) await checkFile(file, { get: (name) => api.blob(name) });
    return judged;
  }

  async function take(facts: ReleaseFacts, config: SignerConfig): Promise<SignerEvent | undefined> {
    const trusted = await known(config);
    const versions = [trusted.root, trusted.targets, trusted.project].map((text) => text && versionOf(text));
    const offered = sha256(JSON.stringify([facts.offer, config, versions]));
    const before = settled.get(facts.id);
    const unchanged = before?.offered === offered;
    if (unchanged && !before.passes) return undefined;
    const settle = (why: string | null, passes = false) => settled.set(facts.id, { offered, why, passes });
    const event = { release: facts.id, digest: facts.digest };
    const offer = await api.release(facts.id);
    let judged: Awaited<ReturnType<typeof judge>>;
    try {
      judged = await judge(offer, trusted);
    } catch (error) {
      if (passing.includes(codeOf(error))) throw error;
      const why = messageOf(error).slice(0, longestWhy);
      if (unchanged && before.why === why) return undefined;
      await api.refuseRelease(facts.id, why);
      settle(why, codeOf(error) === "expired");
      return { outcome: "refused", ...event, version: facts.version, why };
    }
    const text = sign(judged.text, [key]);
    if (text === offer.draft) {
      // Its own signature is there, and others' are waited for.
      settle(null);
      return undefined;
    }
    const { release, digest, proposedAt } = judged;
    await home.noteSigned({ release, digest, proposedAt, signedAt: new Date(now()).toISOString(), text });
    const after = await api.signRelease(facts.id, text);
    settle(null);
    return { outcome: "signed", ...event, digest, version: release, why: after.why.slice(0, longestWhy) };
  }

  return {
    async look() {
      const config = await home.config();
      const { releases } = await api.releases({ model: config.model, limit: looksBack });
      const open = releases.filter(({ model, state }) => model === config.model && isOpen(state));
      if (open.length === 0) return [];
      const events: SignerEvent[] = [];
      try {
        await syncTrust(api, keys, config.rootSha256);
      } catch (error) {
        // What the control plane serves cannot be trusted: nothing is signed, and its operators are told.
        if (passing.includes(codeOf(error))) throw error;
        const why = `it cannot trust what the control plane serves: ${messageOf(error)}`.slice(0, longestWhy);
        for (const { id, digest, version } of open) {
          if (settled.get(id)?.why === why) continue;
          await api.refuseRelease(id, why);
          settled.set(id, { offered: "", why, passes: true });
          events.push({ outcome: "refused", release: id, digest, version, why });
        }
        return events;
      }
      for (const facts of open) {
        const event = await take(facts, config);
        if (event) events.push(event);
      }
      return events;
    },
  };
}

/** Refused ones may be mended by what changes elsewhere. */
function isOpen(state: ReleaseFacts["state"]): boolean {
  return state === "waiting" || state === "refused";
}
