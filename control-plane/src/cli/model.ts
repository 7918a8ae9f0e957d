/** `vedette model`: list and assign; `model-publish.ts` has publish, `model-trust.ts` revoke and signature. */
import { VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import type { Command } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { addPublish } from "./model-publish.ts";
import { addModelTrust } from "./model-trust.ts";
import { fitting, label, version } from "./option-values.ts";
import { newest, type SelectorFlags, selectorOf } from "./selector-flags.ts";
import { table } from "./table.ts";

interface AssignFlags extends SelectorFlags {
  name: string;
  version?: number;
  none?: boolean;
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
    .option("--version <number>", "the version (default: the newest)", version)
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
      if (flags.none && flags.version !== undefined) {
        throw new VedetteError("invalid_argument", "--none takes the model away: leave --version out");
      }
      const api = await context.api();
      const version = flags.none ? null : (flags.version ?? (await newest(api, flags.name)));
      const answer = await api.assign({ model: flags.name, version, selector: chosen });
      const what = answer.version === null ? `No ${answer.model}` : `${answer.model} version ${answer.version}`;
      const who = answer.devices.length === 0 ? "no device yet" : answer.devices.join(", ");
      context.answer(answer, `${what} for ${who}.\n`);
    });

  addModelTrust(model, io);
}
