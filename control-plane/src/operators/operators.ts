/**
 * Operators: people and programs with a name, a role and a token of their own. Only a token's hash is kept. The first
 * admin's token is made at the first start, into a file that only its owner reads; HTTP asks here who it is that asks.
 */
import type { OperatorRole } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import type { Database } from "../db/database.ts";
import type { OperatorRecord } from "../db/records.ts";
import { readIfThere, writeWhole } from "../durable-file.ts";
import { controlPlane, machineActors } from "../machine-actors.ts";
import type { Clock, Logger } from "../ports.ts";
import { sha256 } from "../sha256.ts";

export interface Actor {
  readonly name: string;
  readonly role: OperatorRole;
}
export interface Operators {
  /** Who an `Authorization` header speaks for; undefined where it is nobody. */
  authenticate(authorization: string | undefined): Promise<Actor | undefined>;
  /** By name. */
  list(): Promise<OperatorRecord[]>;
  /** Answers the token: it is shown this once. @throws VedetteError conflict (also where a machine is called so in the audit). */
  add(name: string, role: OperatorRole, actor: string): Promise<string>;
  /** A new token in place of the old one, which holds no more. @throws VedetteError not_found. */
  rotateToken(name: string, actor: string): Promise<string>;
  /** Takes the token away; the name stays. @throws VedetteError not_found, conflict (the last admin). */
  revokeToken(name: string, actor: string): Promise<void>;
  /** @throws VedetteError not_found, conflict (the last admin). */
  remove(name: string, actor: string): Promise<void>;
}

/** The operator whose token `up` makes. */
const firstAdmin = "admin";
const leastTokenLength = 32;

/**
 * @param file where the first admin's token is. Where it was deleted the next start makes another: whoever owns the
 * disk can always get in.
 * @throws VedetteError storage_failed where the file holds no token, and nobody has one yet.
 */
export async function openOperators(ports: {
  db: Database;
  clock: Clock;
  logger: Logger;
  randomBytes: (length: number) => Buffer;
  file: string;
}): Promise<Operators> {
  const { db, clock, logger, randomBytes, file } = ports;
  const newToken = (): string => randomBytes(32).toString("base64url");
  const entry = (actor: string, action: string, subject: string, detail: Record<string, unknown>) => ({
    at: clock.now(),
    actor,
    action,
    subject,
    detail,
  });
  const find = async (name: string): Promise<OperatorRecord> => {
    const found = (await db.operators.list()).find((one) => one.name === name && one.removedAt === null);
    if (found) return found;
    throw new VedetteError("not_found", `there is no operator ${name}: see vedette operator list`);
  };
  const add = (name: string, role: OperatorRole, token: string, actor: string) => {
    const at = clock.now();
    return db.operators.add(
      { name, role, tokenSha256: sha256(token), createdAt: at, createdBy: actor, tokenChangedAt: at, removedAt: null },
      entry(actor, "operator.add", name, { before: null, after: { role } }),
    );
  };

  await openFirstAdmin();
  return {
    async authenticate(authorization = "") {
      const [, sent] = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization) ?? [];
      // Looked up by its hash, which says nothing about how much of a guess was right.
      const operator = sent === undefined ? undefined : await db.operators.byToken(sha256(sent));
      return operator && { name: operator.name, role: operator.role };
    },
    list: () => db.operators.list(),
    async add(name, role, actor) {
      if (machineActors.includes(name)) {
        throw new VedetteError(
          "conflict",
          `${name} is what the audit calls the control plane's own doings: choose another name`,
        );
      }
      const token = newToken();
      await add(name, role, token, actor);
      return token;
    },
    async rotateToken(name, actor) {
      const { role, tokenSha256 } = await find(name);
      const token = newToken();
      const detail = { role, before: { token: tokenSha256 !== null }, after: { token: true } };
      await db.operators.setToken(name, sha256(token), entry(actor, "operator.token.rotate", name, detail));
      return token;
    },
    async revokeToken(name, actor) {
      const { role, tokenSha256 } = await find(name);
      const detail = { role, before: { token: tokenSha256 !== null }, after: { token: false } };
      await db.operators.setToken(name, null, entry(actor, "operator.token.revoke", name, detail));
    },
    async remove(name, actor) {
      const { role } = await find(name);
      await db.operators.remove(name, entry(actor, "operator.remove", name, { before: { role }, after: null }));
    },
  };

  async function openFirstAdmin(): Promise<void> {
    const admin = (await db.operators.list()).find((one) => one.name === firstAdmin);
    const kept = (await readIfThere(file))?.trim();
    if (!admin) {
      if (kept !== undefined && kept.length < leastTokenLength) {
        throw new VedetteError(
          "storage_failed",
          `${file} holds no operator token: delete it, and the next start makes one`,
        );
      }
      const token = kept ?? newToken();
      if (kept === undefined) await writeWhole(file, `${token}\n`);
      return add(firstAdmin, "admin", token, controlPlane);
    }
    if (kept !== undefined) {
      // A token that was rotated or revoked does not come back with the file that held it.
      if (admin.tokenSha256 !== sha256(kept)) logger.warn("operator_token.stale", { file });
      return undefined;
    }
    if (admin.removedAt !== null) return undefined;
    const token = newToken();
    await writeWhole(file, `${token}\n`);
    const detail = { before: { token: admin.tokenSha256 !== null }, after: { token: true } };
    return db.operators.setToken(
      firstAdmin,
      sha256(token),
      entry(controlPlane, "operator.token.recover", firstAdmin, detail),
    );
  }
}
