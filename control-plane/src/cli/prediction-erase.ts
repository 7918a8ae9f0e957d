/** `vedette prediction erase` and `erasures`: to forget an entity everywhere, and to see who has. */
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Erasure } from "@vedette/protocol/records-api";
import type { Command } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { duration } from "./option-values.ts";
import { table } from "./table.ts";

const dayMs = 86_400_000;

interface EraseFlags {
  entity?: string;
  entityFile?: string;
  model?: string;
  /** ms. */
  ttl?: number;
}

export function addErase(prediction: Command, io: Io): void {
  prediction
    .command("erase")
    .description("forget an entity: in the lake now, in what comes later, and on every device")
    .option("--entity <text>", "the entity as requests name it (vedette_entity)")
    .option("--entity-file <file>", "a file that holds it: keeps it out of the process list and the shell's history")
    .option("--model <name>", "of this model only")
    .option(
      "--ttl <duration>",
      "how long devices that are away may take to be told, in whole days (default: 365d)",
      duration,
    )
    .addHelpText(
      "after",
      "\nRows keep their number, time, version and source; who it was, what was asked and what was answered go. Copies that\n" +
        "left before (exports, sinks, backups) are not reached.\n\n" +
        "Example:\n  $ vedette prediction erase --entity-file customer.txt\n  $ vedette prediction erasures",
    )
    .action(async (flags: EraseFlags, command: Command) => {
      const context = contextOf(command, io);
      const { model, ttl } = flags;
      const entity = await entityOf(flags);
      const given = {
        ...(model === undefined ? {} : { model }),
        ...(ttl === undefined ? {} : { ttlDays: Math.ceil(ttl / dayMs) }),
      };
      const erased = await (await context.api()).erase({ entity, ...given });
      const rows = `${erased.rows} row${erased.rows === 1 ? "" : "s"} erased in the lake`;
      const devices = erased.devices.filter(({ state }) => state === "pending").length;
      context.answer(
        erased,
        `${rows}; ${devices === 1 ? "1 device is" : `${devices} devices are`} told: vedette prediction erasures (id ${erased.id})\n`,
      );
    });

  prediction
    .command("erasures")
    .description("what was erased, and which devices have yet to")
    .addHelpText("after", "\nExample:\n  $ vedette prediction erasures --json")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const erasures = await (await context.api()).erasures();
      const columns = [
        "erasure",
        "requested",
        "model",
        "lake",
        "rows",
        "came later",
        "devices done",
        "pending",
        "failed",
      ];
      context.answer(
        { erasures },
        erasures.length === 0 ? "Nothing was erased yet.\n" : table(columns, erasures.map(rowOf)),
      );
    });
}

function rowOf(erasure: Erasure): (string | number | null)[] {
  const { id, requestedAt, model, doneAt, rows, lateRows, devices } = erasure;
  const named = (...states: string[]) =>
    devices.filter(({ state }) => states.includes(state)).map(({ agent }) => agent);
  const some = (agents: readonly string[]) =>
    agents.length <= 4 ? agents.join(" ") || "0" : `${agents.slice(0, 4).join(" ")} and ${agents.length - 4} more`;
  const done = named("done").length;
  return [id, requestedAt, model ?? "all", doneAt === null ? "under way" : "done", rows, lateRows, done].concat([
    some(named("pending")),
    some(named("failed", "expired")),
  ]);
}

async function entityOf({ entity, entityFile }: EraseFlags): Promise<string> {
  if ((entity === undefined) === (entityFile === undefined))
    throw new VedetteError("invalid_argument", "name the entity by --entity or by --entity-file");
  if (entity !== undefined) return entity;
  try {
    return (await readFile(entityFile ?? "", "utf8")).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new VedetteError("invalid_argument", `--entity-file ${entityFile} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}
