/** Versions that wait for a signer, what became of them, and what a model's releases do by themselves. */
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import type { SignedText } from "@vedette/protocol/signed";
import { and, asc, desc, eq, isNull, or } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, ModelSignatureRecord } from "./records.ts";
import { handsFree, type releaseOutcomes, releases } from "./releases-schema.ts";

export interface ReleaseRecord {
  readonly id: number;
  readonly model: string;
  readonly digest: string;
  readonly manifest: string;
  readonly modelSignature: ModelSignatureRecord | null;
  readonly proposal: SignedText;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly draft: string | null;
  readonly refusal: string | null;
  /** Null: open. */
  readonly outcome: (typeof releaseOutcomes)[number] | null;
  readonly version: number | null;
  readonly why: string | null;
  readonly decidedAt: number | null;
  readonly decidedBy: string | null;
  readonly rollout: number | null;
  readonly rolloutWhy: string | null;
  readonly rolloutSettled: boolean;
}
type ReleaseDraft = Pick<
  ReleaseRecord,
  "model" | "digest" | "manifest" | "modelSignature" | "proposal" | "createdAt" | "createdBy"
>;
export interface HandsFreeRecord {
  readonly model: string;
  readonly policy: RolloutPolicy | null;
  readonly frozen: boolean;
  readonly reason: string | null;
  readonly at: number;
  readonly by: string;
}

export interface ReleaseRepository {
  /** A new one; the model's open one, if any, is superseded. Answers its number. */
  propose(draft: ReleaseDraft, entry: (id: number) => AuditEntry): Promise<number>;
  find(id: number): Promise<ReleaseRecord | undefined>;
  /** Of one model or all, the oldest first. */
  open(model?: string): Promise<ReleaseRecord[]>;
  /** The newest first. */
  list(limit: number, model?: string): Promise<ReleaseRecord[]>;
  /** The manifest of one that has a digest, whatever became of it. */
  manifest(digest: string): Promise<string | undefined>;
  /** Released, and nothing has begun for it yet: the oldest first. */
  unstarted(): Promise<ReleaseRecord[]>;
  change(
    id: number,
    set: Partial<Omit<ReleaseRecord, "id" | "model" | "digest" | "manifest">>,
    entry: AuditEntry | undefined,
  ): Promise<void>;
  handsFree(): Promise<HandsFreeRecord[]>;
  setHandsFree(record: HandsFreeRecord, entry: AuditEntry): Promise<void>;
}

export function releaseRepository(db: Connection): ReleaseRepository {
  const all = () => db.select().from(releases);
  const ofModel = (model: string | undefined) => (model === undefined ? undefined : eq(releases.model, model));

  return {
    async propose(draft, entry) {
      return db.transaction((tx) => {
        const decided = { decidedAt: draft.createdAt, decidedBy: draft.createdBy };
        tx.update(releases)
          .set({ outcome: "superseded", why: "a newer version was proposed", ...decided })
          .where(and(eq(releases.model, draft.model), isNull(releases.outcome)))
          .run();
        const id = Number(tx.insert(releases).values(draft).run().lastInsertRowid);
        record(tx, entry(id));
        return id;
      });
    },
    async find(id) {
      return all().where(eq(releases.id, id)).get();
    },
    async open(model) {
      return all()
        .where(and(ofModel(model), isNull(releases.outcome)))
        .orderBy(asc(releases.id))
        .all();
    },
    async list(limit, model) {
      return all().where(ofModel(model)).orderBy(desc(releases.id)).limit(limit).all();
    },
    async manifest(digest) {
      const found = db.select({ manifest: releases.manifest }).from(releases).where(eq(releases.digest, digest)).get();
      return found?.manifest;
    },
    async unstarted() {
      return all()
        .where(and(eq(releases.outcome, "released"), eq(releases.rolloutSettled, false)))
        .orderBy(asc(releases.id))
        .all();
    },
    async change(id, set, entry) {
      db.transaction((tx) => {
        tx.update(releases).set(set).where(eq(releases.id, id)).run();
        if (entry) record(tx, entry);
      });
    },
    async handsFree() {
      return db.select().from(handsFree).orderBy(asc(handsFree.model)).all();
    },
    async setHandsFree(row, entry) {
      db.transaction((tx) => {
        tx.insert(handsFree).values(row).onConflictDoUpdate({ target: handsFree.model, set: row }).run();
        record(tx, entry);
      });
    },
  };
}

/**
 * What was proposed is a version now: written with it, in the caller's transaction, whoever signed it. A signature may come
 * after a newer one was proposed: what is signed is released.
 */
export function settleRelease(
  tx: Connection,
  { digest, version }: { readonly digest: string; readonly version: number },
  { at, actor }: Pick<AuditEntry, "at" | "actor">,
): void {
  const settled = tx
    .update(releases)
    .set({ outcome: "released", version, why: `version ${version}`, draft: null, decidedAt: at, decidedBy: actor })
    .where(and(eq(releases.digest, digest), or(isNull(releases.outcome), eq(releases.outcome, "superseded"))))
    .returning({ id: releases.id, model: releases.model })
    .all();
  for (const { id, model } of settled) {
    record(tx, { at, actor, action: "release.publish", subject: `release-${id}`, detail: { model, digest, version } });
  }
}
