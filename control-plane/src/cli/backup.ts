/** `vedette backup` and `vedette restore`: all of a control plane in one file, and back. */
import { resolve } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import type { Command } from "commander";
import { type Context, contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { saveStream } from "./save-stream.ts";

interface SecretFlags {
  withoutKeys?: boolean;
}

export function addBackup(program: Command, io: Io): void {
  program
    .command("backup")
    .description("all that the control plane holds in one file, while it goes on")
    .requiredOption("--out <file>", "a file that is not there yet")
    .option("--without-keys", "leave keys and token out: devices will not trust what is restored from it")
    .addHelpText(
      "after",
      "\nThe passphrase seals the online keys and the first admin's token in it.\n" +
        "The offline keys (<home>/keys) are not on the control plane, and not in the file: keep them apart.\n\n" +
        "Example:\n  $ vedette backup --out monday.backup --passphrase-file passphrase",
    )
    .action(async ({ out, withoutKeys }: SecretFlags & { out: string }, command: Command) => {
      const context = contextOf(command, io);
      const passphrase = await passphraseOf(context, withoutKeys);
      const api = await context.api();
      const { readBackup } = await import("../backup/read-backup.ts");
      let files = 0;
      const bytes = await saveStream(
        () => api.backup({ passphrase }),
        out,
        async (draft) => {
          files = (await readBackup(draft)).files.length;
        },
      );
      const answer = { out: resolve(out), bytes, files, keys: passphrase !== null };
      context.answer(answer, `${out}: ${files} files, ${bytes} bytes, each checked against its hash\n`);
    });

  program
    .command("restore")
    .description("a home from a backup; `vedette up` starts it")
    .argument("<file>", "what `vedette backup` wrote")
    .option("--without-keys", "leave keys and token out")
    .addHelpText(
      "after",
      "\nThe home must be empty but for the offline keys. Devices that the backup knows go on by themselves; enrolment tokens\n" +
        "made before it are void.\n\n" +
        "Example:\n  $ vedette restore monday.backup --home .vedette --passphrase-file passphrase\n  $ vedette up --home .vedette",
    )
    .action(async (file: string, { withoutKeys }: SecretFlags, command: Command) => {
      const context = contextOf(command, io);
      const passphrase = await passphraseOf(context, withoutKeys);
      // Loading the database takes long, and no other command needs it.
      const { restoreBackup } = await import("../backup/restore-backup.ts");
      const restored = await restoreBackup({ file, home: context.home, now: io.now(), passphrase });
      const at = new Date(restored.at).toISOString();
      context.answer(
        { ...restored, at, home: context.home },
        `Site ${restored.site} as of ${at} is in ${context.home} (${restored.files} files). Start it: vedette up --home ${context.home}\n` +
          "What devices had stored since is counted as they come back: vedette prediction counts\n",
      );
    });
}

/** Null: without keys. */
async function passphraseOf(context: Context, withoutKeys = false): Promise<string | null> {
  if (withoutKeys) return null;
  const passphrase = await context.passphrase();
  if (passphrase === undefined) {
    throw new VedetteError("invalid_argument", "say --passphrase-file <file>, or --without-keys");
  }
  if (passphrase.length >= 12) return passphrase;
  throw new VedetteError("invalid_argument", "the passphrase has under 12 characters: take a longer one");
}
