/** `vedette device`: enrolment tokens, and the fleet. */
import type { Device } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { agentId } from "@vedette/protocol/ids";
import { type Command, Option } from "commander";
import { contextOf } from "./context.ts";
import { describeDevice } from "./device-text.ts";
import type { Io } from "./io.ts";
import { duration, fitting, integerFrom, label } from "./option-values.ts";
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
      const rows = devices.map(({ agent, online, labels, assigned, reported, lastSeen, revoked, rollouts }) => [
        agent,
        revoked ? "revoked" : online ? "online" : "offline",
        Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(" ") || null,
        assigned.map(({ model, version }) => `${model}@${version}`).join(" ") || null,
        reported?.slots.flatMap(({ model, serving }) => (serving ? [`${model}@${serving.release}`] : [])).join(" ") ||
          null,
        (rollouts ?? []).map(shortOf).join(" ") || null,
        faultOf(reported),
        lastSeen,
      ]);
      const columns = ["device", "state", "labels", "assigned", "serving", "rollout", "refused", "last seen"];
      context.answer(
        { devices },
        rows.length === 0 ? "No devices yet: vedette device enroll --help\n" : table(columns, rows),
      );
    });

  device
    .command("show")
    .description("one device: what it should run, what it does, and because of which rollout")
    .argument("<device>", "its name", fitting(agentId))
    .addHelpText("after", "\nExample:\n  $ vedette device show station-7")
    .action(async (agent: string, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const found = (await (await context.api()).devices()).find((one) => one.agent === agent);
      if (!found)
        throw new VedetteError(
          "not_found",
          `no device is enrolled as ${agent}: \`vedette device list\` shows those that are`,
        );
      context.answer(found, describeDevice(found));
    });

  device
    .command("revoke")
    .description("take a device's way in, as when it is lost: no token, no connection, nothing it sends is taken")
    .argument("<device>", "its name", fitting(agentId))
    .requiredOption("--reason <text>", "why, for the audit")
    .addHelpText(
      "after",
      "\nWhat is on the device stays on it; the key it has opens nothing any more.\n\n" +
        'Example:\n  $ vedette device revoke station-7 --reason "stolen from the van"',
    )
    .action(async (agent: string, { reason }: { reason: string }, command: Command) => {
      const context = contextOf(command, io);
      const answer = await (await context.api()).revokeDevice(agent, reason);
      context.answer(
        answer,
        `${agent} ${answer.changed ? "is revoked" : "was revoked before"}. Found again: vedette device approve ${agent}; else it joins under another name.\n`,
      );
    });

  device
    .command("approve")
    .description("give a revoked device its way in again, with the key it has")
    .argument("<device>", "its name", fitting(agentId))
    .addHelpText("after", "\nExample:\n  $ vedette device approve station-7")
    .action(async (agent: string, _flags: object, command: Command) => {
      const context = contextOf(command, io);
      const answer = await (await context.api()).approveDevice(agent);
      context.answer(answer, `${agent} ${answer.changed ? "may log in again" : "was not revoked"}.\n`);
    });
}

type BecauseOf = NonNullable<Device["rollouts"]>[number];

function shortOf({ rollout, experiment, model, version, as }: BecauseOf): string {
  const of = experiment ? `experiment ${rollout}` : `${rollout}`;
  return as === "returned" ? `back from ${model}@${version} (${of})` : `${model}@${version} ${as} (${of})`;
}

/** What the device refuses and why: its control plane's metadata or assignment, or a version of a model. */
function faultOf(reported: Device["reported"]): string | null {
  const versions = (reported?.slots ?? []).flatMap(({ model, candidate }) =>
    candidate?.state === "rejected" ? [`${model}@${candidate.release} ${candidate.reason ?? ""}`.trim()] : [],
  );
  return [...(reported?.fault ? [`hello ${reported.fault.code}`] : []), ...versions].join(" ") || null;
}
