/** `vedette device`: enrolment tokens, and the fleet. */
import type { Device } from "@vedette/protocol/api";
import { type Command, Option } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { duration, integerFrom, label } from "./option-values.ts";
import { table } from "./table.ts";

interface EnrollFlags {
  label?: Record<string, string>;
  ttl: number;
  uses: number;
}

export function addDevice(program: Command, io: Io): void {
  const device = program.command("device").description("the fleet");

  device
    .command("enroll")
    .description("make a token by which devices join")
    .option("--label <key=value>", "a label that the devices get; may be given more than once", label)
    .addOption(
      new Option("--ttl <duration>", "how long the token holds, as 15m").argParser(duration).default(3_600_000, "1h"),
    )
    .option("--uses <number>", "how many devices may join by it", integerFrom(1, 100_000), 1)
    .addHelpText(
      "after",
      "\nThe token is a secret: a file or a pipe keeps it out of the process list.\n\n" +
        "Example:\n  $ vedette device enroll --label city=seattle --uses 20 > token\n  $ vedette agent run --home ./station --enroll-file token --name station-1",
    )
    .action(async (flags: EnrollFlags, command: Command) => {
      const context = contextOf(command, io);
      const ttlSeconds = Math.max(1, Math.round(flags.ttl / 1000));
      const made = await (await context.api()).createToken({ labels: flags.label ?? {}, ttlSeconds, uses: flags.uses });
      // The token alone on stdout, so that $(…) takes it.
      if (!context.json)
        io.stderr(`Holds until ${made.expiresAt}, for ${flags.uses} device${flags.uses === 1 ? "" : "s"}.\n`);
      context.answer(made, `${made.token}\n`);
    });

  device
    .command("list")
    .description("all devices: what they should run, and what they do")
    .addHelpText("after", "\nExample:\n  $ vedette device list")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const devices = await (await context.api()).devices();
      const rows = devices.map(({ agent, online, labels, assigned, reported, lastSeen }) => [
        agent,
        online ? "online" : "offline",
        Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(" ") || null,
        assigned.map(({ model, version }) => `${model}@${version}`).join(" ") || null,
        reported?.slots.flatMap(({ model, serving }) => (serving ? [`${model}@${serving.release}`] : [])).join(" ") ||
          null,
        faultOf(reported),
        lastSeen,
      ]);
      const columns = ["device", "state", "labels", "assigned", "serving", "refused", "last seen"];
      context.answer(
        { devices },
        rows.length === 0 ? "No devices yet: vedette device enroll --help\n" : table(columns, rows),
      );
    });
}

/** What the device refuses and why: its control plane's metadata or assignment, or a version of a model. */
function faultOf(reported: Device["reported"]): string | null {
  const versions = (reported?.slots ?? []).flatMap(({ model, candidate }) =>
    candidate?.state === "rejected" ? [`${model}@${candidate.release} ${candidate.reason ?? ""}`.trim()] : [],
  );
  return [...(reported?.fault ? [`hello ${reported.fault.code}`] : []), ...versions].join(" ") || null;
}
