/** `vedette audit`: who changed what, and whether the record of it is whole. */
import type { auditEntry } from "@vedette/protocol/api";
import { firstAuditHash } from "@vedette/protocol/audit";
import { VedetteError } from "@vedette/protocol/errors";
import type { Command } from "commander";
import type { z } from "zod";
import { auditHash } from "../audit-hash.ts";
import type { ApiClient } from "./api-client.ts";
import { describeDetail } from "./audit-text.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { integerFrom } from "./option-values.ts";
import { tableWithin } from "./table.ts";

type Entry = z.infer<typeof auditEntry>;
interface ListFlags {
  limit: number;
  actor?: string;
  action?: string;
  subject?: string;
}

const page = 1000;

export function addAudit(program: Command, io: Io): void {
  const audit = program.command("audit").description("who changed what");

  audit
    .command("list")
    .description(
      "the newest entries first, a line each (in a terminal as many as it takes); --json: with all that they hold",
    )
    .option("--limit <number>", "entries at most", integerFrom(1, page), 50)
    .option("--actor <name>", "by this operator, or 'device NAME'")
    .option("--action <action>", "of this kind, as device.revoke")
    .option("--subject <subject>", "about this, as a device's name")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette audit list --actor ada\n  $ vedette audit list --action device.revoke --json",
    )
    .action(async ({ limit, ...filter }: ListFlags, command: Command) => {
      const context = contextOf(command, io);
      const entries = await (await context.api()).audit({ limit, ...filter });
      const rows = entries.map(({ id, at, actor, action, subject, detail }) => [
        id,
        new Date(at).toISOString(),
        actor,
        action,
        subject,
        describeDetail(detail) || null,
      ]);
      const columns = ["entry", "when", "who", "what", "of", "detail"];
      const text = tableWithin(columns, rows, io.screen ? io.columns() : null);
      context.answer({ entries }, rows.length === 0 ? "No entries fit.\n" : text);
    });

  audit
    .command("verify")
    .description(
      "check here that every entry follows from the one before; note the head elsewhere to check it next time",
    )
    .option("--head <id:hash>", "an earlier head: the entry that must still stand, as this command printed it")
    .addHelpText("after", "\nExample:\n  $ vedette audit verify\n  $ vedette audit verify --head 812:9f2c…")
    .action(async ({ head }: { head?: string }, command: Command) => {
      const context = contextOf(command, io);
      const found = await verify(await context.api(), parseHead(head));
      context.answer(found, `${found.entries} entries, each following from the one before. Head: ${found.head}\n`);
    });
}

/** @throws VedetteError digest_mismatch naming the entry that does not follow, or the head that is gone. */
async function verify(
  api: Pick<ApiClient, "audit">,
  expected: { id: number; hash: string } | undefined,
): Promise<{ ok: true; entries: number; head: string }> {
  let [previous, last, count] = [firstAuditHash, 0, 0];
  let seen = expected === undefined;
  for (;;) {
    const entries: Entry[] = await api.audit({ after: last, limit: page });
    for (const entry of entries) {
      if (auditHash(previous, entry) !== entry.hash) {
        throw new VedetteError(
          "digest_mismatch",
          `audit entry ${entry.id} does not follow from the one before it: an entry was changed, dropped or slipped in. Compare with a backup`,
        );
      }
      if (entry.id === expected?.id && entry.hash === expected.hash) seen = true;
      [previous, last, count] = [entry.hash, entry.id, count + 1];
    }
    if (entries.length < page) break;
  }
  if (seen) return { ok: true, entries: count, head: `${last}:${previous}` };
  throw new VedetteError(
    "digest_mismatch",
    `entry ${expected?.id} is not there as it was: the audit was made anew, or an older backup restored`,
  );
}

function parseHead(text: string | undefined): { id: number; hash: string } | undefined {
  if (text === undefined) return undefined;
  const [, id, hash] = /^([0-9]{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (id !== undefined && hash !== undefined) return { id: Number(id), hash };
  throw new VedetteError(
    "invalid_argument",
    "--head is a number, a colon and 64 hex digits, as `audit verify` prints it",
  );
}
