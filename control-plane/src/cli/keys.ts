/** `vedette keys`: the site's keys and the signatures that devices trust, kept on the operators' machines. */
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { initTrust } from "../publish/init-trust.ts";
import { type ListedRole, listTrust } from "../publish/list-trust.ts";
import { makeKey, type PublicKey, readPublicKey, writePublicKey } from "../publish/offline-keys.ts";
import { renewTrust } from "../publish/renew-trust.ts";
import { type RotatedRole, rotateKeys } from "../publish/rotate-keys.ts";
import { readDraft, type Settled, type Standing, settle } from "../publish/settle.ts";
import { syncTrust } from "../publish/sync-trust.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { integerFrom, list } from "./option-values.ts";
import { table } from "./table.ts";

const rotated = ["root", "targets", "project", "snapshot", "timestamp", "director", "device-tokens", "gate"] as const;
/** Of keys that no metadata name. */
const whatFollows: Readonly<Record<string, string>> = {
  "device-tokens": "every device logs in anew with its own.",
  gate: "what matters now was checked anew and signed by it; overrides lapsed. Tell signers: vedette gate key, vedette signer set --add-gate-key",
};
interface RotateFlags {
  role: RotatedRole;
  model?: string;
  add?: string[];
  remove?: string[];
  threshold?: number;
}

export function addKeys(program: Command, io: Io): void {
  const keys = program.command("keys").description("the keys that devices trust, and what they signed");

  keys
    .command("make")
    .description("make a key of your own, and its public half for others to name")
    .argument("<name>", "whose it is; the metadata tell it", parseHolder)
    .addHelpText(
      "after",
      "\nA passphrase keeps it where there is one (--passphrase-file).\n\nExample:\n  $ vedette keys make ada --passphrase-file secret.txt",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const context = contextOf(command, io);
      const ring = await context.ring();
      const key = await makeKey(ring.folder, name, ring.passphrase);
      const file = await writePublicKey(ring.folder, key);
      const { publicKey, keyid } = key;
      context.answer(
        { name, publicKey, keyid, file, encrypted: ring.passphrase !== undefined },
        `The key of ${name} is in ${ring.folder}; hand on its public half: ${file}\n`,
      );
    });

  keys
    .command("init")
    .description("give the site its root of trust (once)")
    .option(
      "--keys <files>",
      "public keys of those who sign root and targets, as a.pub,b.pub (default: keys made here)",
      list,
    )
    .option("--threshold <number>", "how many of them it takes", integerFrom(1, 16), 1)
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette keys init\n  $ vedette keys init --threshold 2 --keys ada.pub,ben.pub,cleo.pub\n\nKeep a copy of <home>/keys in a safe place: whoever loses it cannot publish any more.",
    )
    .action(async (flags: { keys?: string[]; threshold: number }, command: Command) => {
      const context = contextOf(command, io);
      const named = flags.keys && (await publicKeys(flags.keys));
      const api = await context.api();
      const made = await initTrust(api, await context.ring(), io.now(), { keys: named, threshold: flags.threshold });
      const { settled, ...answer } = made;
      context.answer(
        { ...answer, keys: context.keys, ...outcomeOf(settled) },
        settled.outcome === "pending"
          ? describePending(settled)
          : `Site ${made.site} has its root of trust, sha256 ${made.rootSha256}.\n` +
              `The keys are in ${context.keys}: keep a copy in a safe place, and never on a server.\n`,
      );
    });

  keys
    .command("list")
    .description("every role: who signs it, how many it takes, until when it holds")
    .addHelpText("after", "\nExample:\n  $ vedette keys list")
    .action(async (_options: object, command: Command) => {
      const context = contextOf(command, io);
      const roles = await listTrust(await context.api(), await context.ring(), io.now());
      context.answer({ roles }, describeRoles(roles));
    });

  keys
    .command("renew")
    .description("sign anew what runs out: targets and projects hold for 90 days, root for a year")
    .option("--role <roles>", "only these, as root,targets (default: targets, projects, and root near its end)", list)
    .addHelpText("after", "\nExample:\n  $ vedette keys renew\n  $ vedette keys renew --role root")
    .action(async ({ role }: { role?: string[] }, command: Command) => {
      const context = contextOf(command, io);
      const { versions, settled } = await renewTrust(await context.api(), await context.ring(), io.now(), role);
      context.answer(
        { versions, ...outcomeOf(settled) },
        settled.outcome === "pending" ? describePending(settled) : table(["role", "version"], Object.entries(versions)),
      );
    });

  keys
    .command("rotate")
    .description("other keys for a role; the fleet follows by itself")
    .addOption(new Option("--role <role>", "whose keys").choices(rotated).makeOptionMandatory())
    .option("--model <name>", "with --role project: whose release keys")
    .option("--add <files>", "public keys to add, as cleo.pub", list)
    .option("--remove <names>", "who goes, by name or key id", list)
    .option("--threshold <number>", "how many it takes from now on", integerFrom(1, 16))
    .addHelpText(
      "after",
      "\nWithout --add, --remove and --threshold every key of the role that lies here gives way to a new one.\n\n" +
        "Example:\n  $ vedette keys rotate --role director            # the server was broken into\n" +
        "  $ vedette keys rotate --role targets\n  $ vedette keys rotate --role root --add cleo.pub --remove ben",
    )
    .action(async ({ add, ...flags }: RotateFlags, command: Command) => {
      const context = contextOf(command, io);
      const rotation = { ...flags, add: add && (await publicKeys(add)) };
      const done = await rotateKeys(rotation, await context.api(), await context.ring(), io.now());
      const { settled, ...answer } = done;
      context.answer(
        { ...answer, ...(settled === null ? { outcome: "put" } : outcomeOf(settled)) },
        settled?.outcome === "pending"
          ? describePending(settled)
          : done.after === null
            ? `${done.role}: a new key; ${whatFollows[done.role] ?? ""}\n`
            : `${done.role}: signed by ${done.after.keys.map(show).join(", ")} (${done.after.threshold} needed).\n`,
      );
    });

  keys
    .command("sign")
    .description("add your signature to what another operator began; it is put once enough have signed")
    .argument("<file>", "as the command that began it named it")
    .addHelpText("after", "\nExample:\n  $ vedette keys sign 2.root+1.json")
    .action(async (file: string, _options: object, command: Command) => {
      const context = contextOf(command, io);
      const draft = await readDraft(file);
      if (!context.json) io.stderr(`To sign, of site ${draft.site}: ${draft.what}\n`);
      const settled = await settle(draft, await context.ring(), await context.api());
      context.answer(
        { what: draft.what, site: draft.site, ...outcomeOf(settled) },
        settled.outcome === "pending" ? describePending(settled) : `Signed by enough, and put: ${draft.what}.\n`,
      );
    });

  keys
    .command("sync")
    .description("take what other operators signed into your own folder, checked by what is there")
    .option("--root <sha256>", "of the site's first root, where your folder has none yet")
    .addHelpText("after", "\nExample:\n  $ vedette keys sync")
    .action(async ({ root }: { root?: string }, command: Command) => {
      const context = contextOf(command, io);
      const taken = await syncTrust(await context.api(), context.keys, root);
      const rows = Object.entries(taken);
      context.answer({ taken }, rows.length === 0 ? "Nothing new.\n" : table(["role", "version"], rows));
    });
}

function publicKeys(files: readonly string[]): Promise<PublicKey[]> {
  return Promise.all(files.map(readPublicKey));
}

/** What became of a change that had to be signed, for --json. */
function outcomeOf(settled: Settled<unknown>) {
  const { outcome, standing } = settled;
  return settled.outcome === "pending" ? { outcome, file: settled.file, standing } : { outcome, standing };
}

/** What waits, and for whom. */
export function describePending({ file, standing }: { file: string; standing: readonly Standing[] }): string {
  const rows = standing.map((one) => [
    `${one.role} ${one.version}`,
    `${one.signed.length} of ${one.threshold}`,
    one.signed.join(", ") || null,
    one.open.join(", ") || null,
  ]);
  return `Not in force yet: others have to sign ${file}\n${table(["role", "signed", "by", "may sign"], rows)}Next, where such a key lies: vedette keys sign <that file>\n`;
}

function describeRoles(roles: readonly ListedRole[]): string {
  const rows = roles.map(({ role, version, expires, state, threshold, keys }) => [
    role,
    version,
    expires?.slice(0, 10) ?? null,
    state === "ok" ? null : state === "renew" ? "renew soon" : "EXPIRED",
    `${threshold} of ${keys.length}`,
    keys.map((key) => `${show(key)}${key.here ? " (here)" : ""}`).join(", "),
  ]);
  const due = roles.some(({ state }) => state !== "ok");
  return `${table(["role", "version", "expires", "state", "needs", "keys"], rows)}${due ? "Next: vedette keys renew\n" : ""}`;
}

function show({ name, keyid }: { name: string; keyid: string }): string {
  return `${name} ${keyid.slice(0, 8)}`;
}

/** A name that may stand in the metadata. */
export function parseHolder(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError("A name is 1-63 of A-Z a-z 0-9 . _ @ -");
}
