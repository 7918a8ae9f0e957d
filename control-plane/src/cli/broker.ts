/** `vedette broker`: what a broker of one's own needs of the site. Run on the control plane's machine, before or after `up`. */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Command } from "commander";
import { parseConfig } from "../config.ts";
import { authorityFolder } from "../fleet/authority-folder.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";

interface CertificateFlags {
  site?: string;
  host: string[];
  out: string;
}

export function addBroker(program: Command, io: Io): void {
  const broker = program.command("broker").description("a broker of your own, instead of the one in the control plane");
  broker
    .command("certificate")
    .description("write ca.crt, broker.crt and broker.key: what the broker shows, and whom it lets in")
    .requiredOption("--host <name...>", "names or addresses by which devices reach the broker")
    .option("--out <folder>", "where to write them", "broker")
    .option("--site <name>", "the site's name, as `up` has it (default: main)")
    .addHelpText(
      "after",
      "\nExample:\n  $ vedette broker certificate --host broker.example --out /etc/vedette/broker\n" +
        "  $ MQTT_URL=mqtts://broker.example:8883 vedette up\n\nIt holds for a year: run it again before that.",
    )
    .action(async ({ host, out, site }: CertificateFlags, command: Command) => {
      const context = contextOf(command, io);
      const config = parseConfig({ home: context.home, site }, io.env);
      // Loading it takes long, and no other command needs it.
      const { openSiteAuthority } = await import("../fleet/site-authority.ts");
      const clock = { now: () => io.now() };
      const authority = await openSiteAuthority(authorityFolder(config.home), config.site, clock);
      const { cert, key } = await authority.forBroker(host);
      const folder = resolve(out);
      try {
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, "ca.crt"), authority.ca);
        await writeFile(join(folder, "broker.crt"), cert);
        await writeFile(join(folder, "broker.key"), key, { mode: 0o640 });
      } catch (cause) {
        throw new VedetteError("invalid_argument", `cannot write to --out ${folder}: ${messageOf(cause)}`, { cause });
      }
      context.answer(
        { folder, hosts: host },
        `ca.crt, broker.crt and broker.key are in ${folder}, for ${host.join(", ")}.\n` +
          "The broker's user must be able to read broker.key, and nobody else.\n",
      );
    });
}
