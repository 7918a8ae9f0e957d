/** `vedette prediction verify`: whether a device signed that it answered this. */
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Verified } from "@vedette/protocol/records-api";
import type { Command } from "commander";
import { z } from "zod";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { show } from "./table.ts";

const values = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));

export function addVerify(prediction: Command, io: Io): void {
  prediction
    .command("verify")
    .description("prove that a device answered this: the row, its batch's root, and the device's signature")
    .argument("<id>", "the prediction's id, as answers have it")
    .option("--inputs <file>", 'what the log policy withheld, as JSON: {"torque": 41.2, "entity": "pump-7"}')
    .addHelpText(
      "after",
      "\nExits with 2 where it is not proven, and says what is wrong.\n\n" +
        "Example:\n  $ vedette prediction verify pump-1.pump.00112233445566aa.41",
    )
    .action(async (id: string, { inputs }: { inputs?: string }, command: Command) => {
      const context = contextOf(command, io);
      const given = inputs === undefined ? {} : { values: await readValues(inputs) };
      const answer = await (await context.api()).verify({ id, ...given });
      if (!answer.proven && !context.json)
        throw new VedetteError("bad_signature", `${id} is not proven: ${answer.why}`);
      context.answer(answer, describe(answer));
      if (!answer.proven) throw new VedetteError("bad_signature", `${id} is not proven: ${answer.why}`);
    });
}

function describe({ why, row }: Verified): string {
  if (!row) return `Proven: ${why}.\n`;
  const { agent, label, value, version, time, source, reason } = row;
  const from =
    source === "model" ? `version ${show(version ?? null)}` : `${show(source ?? null)} (${show(reason ?? null)})`;
  return `Proven: device ${show(agent ?? null)} answered ${show(label ?? value ?? null)} from ${from} at ${show(time ?? null)} (${why}).\n`;
}

/** Plain names are inputs; what the batch calls otherwise keeps its name. */
async function readValues(file: string): Promise<z.infer<typeof values>> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new VedetteError("invalid_argument", `--inputs ${file} cannot be read as JSON: ${messageOf(cause)}`, {
      cause,
    });
  }
  const parsed = values.safeParse(json);
  if (!parsed.success) throw new VedetteError("invalid_argument", `--inputs ${file} is no object of numbers and texts`);
  const own = ["entity", "request", "confidence"];
  return Object.fromEntries(
    Object.entries(parsed.data).map(([name, value]) => [
      own.includes(name) || name.includes(":") ? name : `in:${name}`,
      value,
    ]),
  );
}
