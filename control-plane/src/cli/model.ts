/** `vedette model`: list and assign; `model-publish.ts` has publish, `model-trust.ts` revoke and signature. */
import type { selector } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import type { Command } from "commander";
import type { z } from "zod";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { addPublish } from "./model-publish.ts";
import { addModelTrust } from "./model-trust.ts";
import { fitting, integer, label } from "./option-values.ts";
import { table } from "./table.ts";

interface AssignFlags {
  name: string;
  version?: number;
  none?: boolean;
  all?: boolean;
  device?: string[];
  label?: Record<string, string>;
}

export function addModel(program: Command, io: Io): void {
  const model = program.command("model").description("models and their versions");

  addPublish(model, io);

  model
    .command("list")
    .description("all models and their versions, and which of them are revoked")
    .addHelpText("after", "\nExample:\n  $ vedette model list --json")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const answer = await (await context.api()).models();
      const rows = answer.models.flatMap(({ versions }) =>
        versions.map((v) => [
          v.model,
          v.version,
          v.revoked ? "revoked" : null,
          v.task,
          v.digest.slice(0, 12),
          v.bytes,
          v.createdAt,
          v.publishedBy,
        ]),
      );
      const columns = ["model", "version", "state", "task", "digest", "bytes", "published", "by"];
      context.answer(
        answer,
        rows.length === 0 ? "No models yet: vedette model publish --help\n" : table(columns, rows),
      );
    });

  model
    .command("assign")
    .description("say which version devices should run; the last word for a device counts")
    .requiredOption("--name <name>", "the model", fitting(modelName))
    .option("--version <number>", "the version (default: the newest)", integer)
    .option("--none", "take the model away from the devices")
    .option("--all", "every device, those to come too")
    .option("--device <id...>", "these devices")
    .option(
      "--label <key=value>",
      "devices with this label, those to come too; given more than once, with all of them",
      label,
    )
    .addHelpText("after", "\nExample:\n  $ vedette model assign --name rain-gauge --version 2 --label city=seattle")
    .action(async (flags: AssignFlags, command: Command) => {
      const context = contextOf(command, io);
      const chosen = selectorOf(flags);
      const api = await context.api();
      const version = flags.none ? null : (flags.version ?? (await newest(api, flags.name)));
      const answer = await api.assign({ model: flags.name, version, selector: chosen });
      const what = answer.version === null ? `No ${answer.model}` : `${answer.model} version ${answer.version}`;
      const who = answer.devices.length === 0 ? "no device yet" : answer.devices.join(", ");
      context.answer(answer, `${what} for ${who}.\n`);
    });

  addModelTrust(model, io);
}

function selectorOf(flags: AssignFlags): z.infer<typeof selector> {
  const given = [flags.all, flags.device, flags.label].filter((flag) => flag !== undefined);
  if (given.length !== 1) {
    throw new VedetteError("invalid_argument", "say which devices with exactly one of --all, --device and --label");
  }
  if (flags.none && flags.version !== undefined) {
    throw new VedetteError("invalid_argument", "--none takes the model away: leave --version out");
  }
  if (flags.device) return { devices: flags.device };
  return flags.label ? { labels: flags.label } : { all: true };
}

async function newest(api: Awaited<ReturnType<ReturnType<typeof contextOf>["api"]>>, name: string): Promise<number> {
  const versions = (await api.versions()).filter((version) => version.model === name);
  if (versions.length > 0) return Math.max(...versions.map((version) => version.version));
  throw new VedetteError("not_found", `there is no model ${name}: see vedette model list`);
}
