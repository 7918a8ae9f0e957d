/** `vedette keys`: the site's root of trust, made and kept on the operator's machine. */
import type { Command } from "commander";
import { initTrust, renewTrust } from "../publish/init-trust.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { table } from "./table.ts";

export function addKeys(program: Command, io: Io): void {
  const keys = program.command("keys").description("the offline keys that devices trust");

  keys
    .command("init")
    .description("make the root and targets keys, and give the site its root of trust (once)")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette keys init\n\nKeep a copy of <home>/keys in a safe place: whoever loses it cannot publish any more.",
    )
    .action(async (_options: object, command: Command) => {
      const context = contextOf(command, io);
      const made = await initTrust(await context.api(), context.keys, io.now());
      context.answer(
        { ...made, keys: context.keys },
        `Site ${made.site} has its root of trust, sha256 ${made.rootSha256}.\n` +
          `The keys are in ${context.keys}: keep a copy in a safe place, and never on a server.\n`,
      );
    });

  keys
    .command("renew")
    .description("sign targets and every project anew: their signatures hold for 90 days")
    .addHelpText("after", "\nExample:\n  $ vedette keys renew")
    .action(async (_options: object, command: Command) => {
      const context = contextOf(command, io);
      const versions = await renewTrust(await context.api(), context.keys, io.now());
      context.answer({ versions }, table(["role", "version"], Object.entries(versions)));
    });
}
