/** Enrolment tokens, and their redeeming: the one place where a device comes into being. */
import { VedetteError } from "@vedette/protocol/errors";
import { and, desc, eq, gt, isNull, lt, sql } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, Labels, TokenRecord } from "./records.ts";
import { devices, tokens } from "./schema.ts";

export interface TokenRepository {
  /** The newest first. */
  list(): Promise<TokenRecord[]>;
  /** Ends a token's use. Answers false where it was ended before. */
  revoke(secretSha256: string, entry: AuditEntry): Promise<boolean>;
  create(token: TokenRecord, entry: AuditEntry): Promise<void>;
  /**
   * Uses a token once and registers the device, in one transaction. A device that asks again with the same token and
   * key (its answer was lost) is answered again and uses nothing. Answers the token's labels.
   * @throws VedetteError invalid_token (unknown, expired, revoked, used up), conflict (the id belongs to another key),
   * forbidden (the device was revoked).
   */
  redeem(secretSha256: string, agent: string, publicKey: string, entry: AuditEntry): Promise<Labels>;
}

export function tokenRepository(db: Connection): TokenRepository {
  return {
    async list() {
      return db.select().from(tokens).orderBy(desc(tokens.createdAt)).all();
    },
    async revoke(secretSha256, entry) {
      return db.transaction((tx) => {
        const there = and(eq(tokens.secretSha256, secretSha256), isNull(tokens.revokedAt));
        const { changes } = tx.update(tokens).set({ revokedAt: entry.at }).where(there).run();
        if (changes > 0) record(tx, entry);
        return changes > 0;
      });
    },
    async create(token, entry) {
      db.transaction((tx) => {
        tx.insert(tokens).values(token).run();
        record(tx, entry);
      });
    },
    async redeem(secretSha256, agent, publicKey, entry) {
      return db.transaction(
        (tx) => {
          const token = tx.select().from(tokens).where(eq(tokens.secretSha256, secretSha256)).get();
          if (!token)
            throw new VedetteError("invalid_token", "nobody made this enrolment token here: ask for a new one");
          const device = tx.select().from(devices).where(eq(devices.agent, agent)).get();
          if (device && device.publicKey !== publicKey) {
            throw new VedetteError(
              "conflict",
              `device ${agent} is enrolled with another key: enrol under another name, or with the device's own key`,
            );
          }
          if (device && device.revokedAt !== null) {
            throw new VedetteError(
              "forbidden",
              `device ${agent} was revoked: an operator may approve it again (vedette device approve ${agent}), or it joins under another name`,
            );
          }
          if (device?.token === secretSha256) return token.labels;
          const usable = and(
            eq(tokens.secretSha256, secretSha256),
            lt(tokens.used, tokens.uses),
            gt(tokens.expiresAt, entry.at),
            isNull(tokens.revokedAt),
          );
          const used = tx
            .update(tokens)
            .set({ used: sql`${tokens.used} + 1` })
            .where(usable)
            .run();
          if (used.changes === 0) {
            const spent = token.uses === 1 ? "was used already" : `was used all ${token.uses} times`;
            const why = token.revokedAt !== null ? "was revoked" : token.expiresAt <= entry.at ? "has expired" : spent;
            throw new VedetteError("invalid_token", `the enrolment token ${why}: ask for a new one`);
          }
          const joined = { token: secretSha256, tokenLabels: token.labels };
          tx.insert(devices)
            .values({ agent, publicKey, ...joined, saidLabels: {}, enrolledAt: entry.at, rev: 0, slots: [] })
            .onConflictDoUpdate({ target: devices.agent, set: joined })
            .run();
          record(tx, entry);
          return token.labels;
        },
        // The write lock is taken before the reads, so that two processes cannot both see the last use as free.
        { behavior: "immediate" },
      );
    },
  };
}
