/** Named operators. A name is one person's for ever: who was removed may come back, another may not take the name over. */
import { VedetteError } from "@vedette/protocol/errors";
import { and, asc, eq, isNotNull, isNull } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, OperatorRecord } from "./records.ts";
import { operators } from "./schema.ts";

export interface OperatorRepository {
  /** By name, those removed included. */
  list(): Promise<OperatorRecord[]>;
  /** Whose token it is; undefined where it is nobody's any more. */
  byToken(tokenSha256: string): Promise<OperatorRecord | undefined>;
  /** @throws VedetteError conflict where the name is taken. */
  add(operator: OperatorRecord, entry: AuditEntry): Promise<void>;
  /**
   * A new token, or none (null).
   * @throws VedetteError not_found; conflict where nobody would be left who may add operators.
   */
  setToken(name: string, tokenSha256: string | null, entry: AuditEntry): Promise<void>;
  /** @throws VedetteError as `setToken`. */
  remove(name: string, entry: AuditEntry): Promise<void>;
}

export function operatorRepository(db: Connection): OperatorRepository {
  const find = (tx: Connection, name: string): OperatorRecord => {
    const found = tx
      .select()
      .from(operators)
      .where(and(eq(operators.name, name), isNull(operators.removedAt)))
      .get();
    if (found) return found;
    throw new VedetteError("not_found", `there is no operator ${name}: see vedette operator list`);
  };
  /** A site whose last admin is gone could be mended only by whoever owns its disk. */
  const keepAnAdmin = (tx: Connection, name: string): void => {
    const admins = tx
      .select()
      .from(operators)
      .where(and(eq(operators.role, "admin"), isNull(operators.removedAt), isNotNull(operators.tokenSha256)))
      .all();
    if (admins.some((one) => one.name !== name) || !admins.some((one) => one.name === name)) return;
    throw new VedetteError(
      "conflict",
      `${name} is the last admin: add another one first (vedette operator add --role admin)`,
    );
  };
  return {
    async list() {
      return db.select().from(operators).orderBy(asc(operators.name)).all();
    },
    async byToken(tokenSha256) {
      return db
        .select()
        .from(operators)
        .where(and(eq(operators.tokenSha256, tokenSha256), isNull(operators.removedAt)))
        .get();
    },
    async add(operator, entry) {
      db.transaction((tx) => {
        const added = tx.insert(operators).values(operator).onConflictDoNothing().run();
        if (added.changes === 0) {
          throw new VedetteError("conflict", `there is or was an operator ${operator.name}: choose another name`);
        }
        record(tx, entry);
      });
    },
    async setToken(name, tokenSha256, entry) {
      db.transaction((tx) => {
        find(tx, name);
        if (tokenSha256 === null) keepAnAdmin(tx, name);
        tx.update(operators).set({ tokenSha256, tokenChangedAt: entry.at }).where(eq(operators.name, name)).run();
        record(tx, entry);
      });
    },
    async remove(name, entry) {
      db.transaction((tx) => {
        find(tx, name);
        keepAnAdmin(tx, name);
        tx.update(operators)
          .set({ tokenSha256: null, tokenChangedAt: entry.at, removedAt: entry.at })
          .where(eq(operators.name, name))
          .run();
        record(tx, entry);
      });
    },
  };
}
