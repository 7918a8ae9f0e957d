/**
 * Hands-free release as the API uses it: takes proposals, has the gate check them, offers them to signers, publishes what these
 * signed, and lets operators stop all of it. It holds no key that signs bundles: `control-plane/src/signer` is another process,
 * which checks all of this again. What begins afterwards: `begin-rollouts.ts`.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import {
  type Proposal,
  proposal as proposalSchema,
  type Release,
  type ReleaseFacts,
} from "@vedette/protocol/release-api";
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import type { SignedText } from "@vedette/protocol/signed";
import { roleOf } from "@vedette/protocol/trust";
import type { Database } from "../../db/database.ts";
import type { AuditEntry, ModelSignatureRecord } from "../../db/records.ts";
import type { HandsFreeRecord, ReleaseRecord } from "../../db/releases.ts";
import type { BlobStore, Clock, Logger } from "../../ports.ts";
import { checkBundle, versionDraft } from "../../registry/publish-version.ts";
import { createSerial } from "../../serial.ts";
import type { Gates } from "../gate/gate.ts";
import { checkPolicy } from "../rollouts/check-policy.ts";
import type { Rollouts } from "../rollouts/rollouts.ts";
import type { TrustRepository } from "../trust-repository.ts";
import { beginRollouts, isHandsFree } from "./begin-rollouts.ts";
import { describeInDetail, describeRelease, type Standing, stateOf } from "./describe-release.ts";

export interface Releases {
  /**
   * Takes a version without a signature; the model's open one is superseded. The same again is looked at again.
   * @throws VedetteError as `checkBundle`; invalid_argument (a proposal of something else), not_found (no such model yet),
   * conflict (it is a version already).
   */
  propose(request: ProposeRequest, actor: string): Promise<Release>;
  /** The newest first. */
  list(limit: number, model?: string): Promise<ReleaseFacts[]>;
  /** @throws VedetteError not_found. */
  look(id: number): Promise<Release>;
  /**
   * Takes a signer's signature, and publishes the version once there are enough. Again is no matter.
   * @throws VedetteError not_found, conflict (withdrawn, frozen, held by the gate), and as `TrustRepository.publish` does.
   */
  sign(id: number, metadata: string, actor: string): Promise<Release>;
  /** Notes why a signer does not sign. @throws VedetteError not_found, conflict where it is over. */
  refuse(id: number, why: string, actor: string): Promise<Release>;
  /** @throws VedetteError not_found, conflict where it is over. */
  withdraw(id: number, reason: string, actor: string): Promise<Release>;
  handsFree(): Promise<HandsFreeRecord[]>;
  /** @throws VedetteError not_found, invalid_argument. */
  setPolicy(model: string, policy: RolloutPolicy | null, actor: string): Promise<HandsFreeRecord>;
  /**
   * Stops what a model's releases do by themselves, or lets them go on: nothing is taken from signers, no rollout begins, and
   * those that began by themselves are paused; a thaw does not resume these. @throws VedetteError not_found.
   */
  freeze(
    model: string,
    frozen: boolean,
    reason: string,
    actor: string,
  ): Promise<{ handsFree: HandsFreeRecord; paused: number[] }>;
  /** Reports that are lacking, rollouts that are to begin. Idempotent. */
  reconcile(): Promise<void>;
}

interface ProposeRequest {
  readonly model: string;
  readonly manifest: string;
  readonly modelSignature: ModelSignatureRecord | null;
  readonly proposal: SignedText;
}

export interface ReleasePorts {
  readonly site: string;
  readonly db: Database;
  readonly trust: Pick<TrustRepository, "publish" | "signatures">;
  readonly gates: Pick<Gates, "proposed" | "reportProposed">;
  readonly rollouts: Pick<Rollouts, "start" | "act">;
  readonly blobs: Pick<BlobStore, "get">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createReleases(ports: ReleasePorts): Releases {
  const { site, db, trust, gates, rollouts, blobs, clock, logger } = ports;
  const serial = createSerial();

  const settingsOf = async (model: string) => (await db.releases.handsFree()).find((one) => one.model === model);
  const entryFor = (release: Pick<ReleaseRecord, "id" | "model" | "digest">, action: string, actor: string) => {
    return (detail: Record<string, unknown> = {}): AuditEntry => ({
      ...{ at: clock.now(), actor, action: `release.${action}`, subject: `release-${release.id}` },
      detail: { model: release.model, digest: release.digest, ...detail },
    });
  };

  async function find(id: number): Promise<ReleaseRecord> {
    const found = await db.releases.find(id);
    if (found) return found;
    throw new VedetteError("not_found", `there is no release ${id}: \`vedette release list\` shows those there are`);
  }

  async function findOpen(id: number): Promise<ReleaseRecord> {
    const release = await find(id);
    if (release.outcome === null) return release;
    throw new VedetteError("conflict", `release ${id} of ${release.model} is ${release.outcome} already`);
  }

  async function standingOf(release: ReleaseRecord): Promise<Standing | null> {
    if (release.outcome !== null) return null;
    const { number, state, override } = await gates.proposed(release);
    const signatures = trust.signatures(release.model, release.draft ?? undefined);
    return { number, gate: state, override, handsFree: await settingsOf(release.model), signatures };
  }

  async function tell(id: number): Promise<Release> {
    const release = await find(id);
    return describeInDetail(release, await standingOf(release));
  }

  async function requireModel(model: string): Promise<void> {
    if ((await db.versions.modelNames()).includes(model) && trust.signatures(model)) return;
    const why = `there is no model ${model} yet: its first version is published and signed by hand, which also says who signs it`;
    throw new VedetteError("not_found", why);
  }

  /** Of the open one with this digest: as if it came just now. */
  async function again(open: ReleaseRecord, { proposal }: ProposeRequest, actor: string): Promise<void> {
    const set = { proposal, createdAt: clock.now(), createdBy: actor, refusal: null };
    await db.releases.change(open.id, set, entryFor(open, "propose", actor)({ again: true }));
  }

  async function publish(release: ReleaseRecord, metadata: string, actor: string): Promise<void> {
    const { model, manifest, modelSignature } = release;
    const draft = versionDraft({ model, manifest, modelSignature, actor, now: clock.now() });
    const published = await trust.publish(draft, manifest, [{ role: roleOf(model), text: metadata }]);
    logger.info("release.published", { model, version: published.version, release: release.id });
  }

  /** What cannot begin now is tried again at the next round: nobody's answer waits for it. */
  async function begin(): Promise<void> {
    await beginRollouts({ db, rollouts, clock, logger }).catch((error: unknown) => {
      logger.error("release.not_begun", { why: messageOf(error) });
    });
  }

  /** False where it was over, or paused, a moment before: that keeps none of the others going. */
  async function pause(id: number, reason: string, actor: string): Promise<boolean> {
    try {
      await rollouts.act(id, "pause", { reason }, actor);
      return true;
    } catch (error) {
      if (error instanceof VedetteError && error.code === "conflict") return false;
      throw error;
    }
  }

  return {
    async propose(request, actor) {
      const { model, proposal } = request;
      await requireModel(model);
      const draft = await checkBundle({ ...request, actor, now: clock.now() }, blobs);
      checkProposal(proposal, { site, model, digest: draft.digest });
      const id = await serial(async () => {
        const known = await db.versions.findByDigest(draft.digest);
        if (known) throw new VedetteError("conflict", `this is ${model} version ${known.version} already`);
        const [open] = await db.releases.open(model);
        if (open?.digest === draft.digest) {
          await again(open, request, actor);
          return open.id;
        }
        const { manifest, modelSignature } = request;
        const { digest, createdAt } = draft;
        return db.releases.propose(
          { model, digest, manifest, modelSignature, proposal, createdAt, createdBy: actor },
          (made) => entryFor({ id: made, model, digest }, "propose", actor)(open ? { supersedes: open.id } : {}),
        );
      });
      await gates.reportProposed(await find(id));
      return tell(id);
    },
    async list(limit, model) {
      const found = await db.releases.list(limit, model);
      return Promise.all(found.map(async (one) => describeRelease(one, await standingOf(one))));
    },
    look: tell,
    sign: (id, metadata, actor) =>
      serial(async () => {
        const release = await find(id);
        if (release.outcome === "released") return tell(id);
        if (release.outcome === "withdrawn") {
          throw new VedetteError("conflict", `release ${id} was withdrawn by ${release.decidedBy}: ${release.why}`);
        }
        // Of one that was superseded meanwhile, too: what is signed is released, if it may be.
        const standing = await standingOf({ ...release, outcome: null });
        const { state, why } = stateOf({ refusal: null }, standing as Standing);
        if (state !== "waiting") throw new VedetteError("conflict", `release ${id} is ${state}: ${why}`);
        const entry = entryFor(release, "sign", actor);
        const signatures = trust.signatures(release.model, metadata);
        if (signatures && signatures.good > 0 && signatures.good < signatures.threshold) {
          const before = release.draft === null ? undefined : trust.signatures(release.model, release.draft);
          if ((before?.good ?? 0) < signatures.good) {
            await db.releases.change(id, { draft: metadata, refusal: null }, entry({ ...signatures }));
          }
          return tell(id);
        }
        await publish(release, metadata, actor);
        await begin();
        return tell(id);
      }),
    refuse: (id, why, actor) =>
      serial(async () => {
        const release = await findOpen(id);
        // Said again, as after a signer's restart, it is nothing new.
        if (release.refusal !== why) {
          await db.releases.change(id, { refusal: why }, entryFor(release, "refuse", actor)({ why }));
          logger.warn("release.refused", { release: id, model: release.model, by: actor, why });
        }
        return tell(id);
      }),
    withdraw: (id, reason, actor) =>
      serial(async () => {
        const release = await findOpen(id);
        const decided = { outcome: "withdrawn" as const, why: reason, decidedAt: clock.now(), decidedBy: actor };
        await db.releases.change(id, { ...decided, draft: null }, entryFor(release, "withdraw", actor)({ reason }));
        return tell(id);
      }),
    handsFree: () => db.releases.handsFree(),
    setPolicy: (model, policy, actor) =>
      serial(async () => {
        await requireModel(model);
        if (policy) checkPolicy(policy);
        const before = await settingsOf(model);
        const { frozen = false, reason = null } = before ?? {};
        const after = { model, policy, frozen, reason, at: clock.now(), by: actor };
        const detail = { before: before?.policy ?? null, after: policy };
        const action = policy ? "release.hands_free" : "release.by_hand";
        await db.releases.setHandsFree(after, { at: clock.now(), actor, action, subject: model, detail });
        return after;
      }),
    freeze: (model, frozen, reason, actor) =>
      serial(async () => {
        await requireModel(model);
        const before = await settingsOf(model);
        const after = { model, policy: before?.policy ?? null, frozen, reason, at: clock.now(), by: actor };
        const action = frozen ? "release.freeze" : "release.thaw";
        await db.releases.setHandsFree(after, { at: clock.now(), actor, action, subject: model, detail: { reason } });
        const live = frozen ? (await db.rollouts.live()).filter((one) => one.model === model && isHandsFree(one)) : [];
        const paused: number[] = [];
        for (const { id } of live.filter(({ state }) => state !== "paused")) {
          if (await pause(id, reason, actor)) paused.push(id);
        }
        return { handsFree: after, paused };
      }),
    async reconcile() {
      for (const release of await db.releases.open()) await gates.reportProposed(release);
      await serial(begin);
    },
  };
}

/** Whether it speaks of this very thing; whose word it is, signers know. */
function checkProposal(signed: SignedText, about: Pick<Proposal, "site" | "model" | "digest">): void {
  let said: Proposal;
  try {
    said = proposalSchema.parse(JSON.parse(signed.payload));
  } catch (cause) {
    throw new VedetteError("invalid_argument", `the proposal does not fit: ${messageOf(cause)}`, { cause });
  }
  if (said.site === about.site && said.model === about.model && said.digest === about.digest) return;
  const what = `${said.model} ${said.digest} at site ${said.site}`;
  throw new VedetteError(
    "invalid_argument",
    `the proposal speaks of ${what}, and what came with it is ${about.digest}`,
  );
}
