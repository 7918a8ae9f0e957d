/** `vedette prediction counts`: where every prediction is that was ever numbered. */
import type { PredictionCounts } from "@vedette/protocol/records-api";
import type { Command } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { table } from "./table.ts";

type Model = PredictionCounts["models"][number];

/** What a person should know of a reason why predictions are missing. */
const meanings: Readonly<Record<string, string>> = {
  power_loss: "answered, and lost by a power failure before the disk had them",
  dropped_budget: "dropped by the device: its log was full",
  dropped_age: "dropped by the device: they waited too long",
  sampled: "thinned out by the device: its log was full",
  disk_full: "answered while the device's disk was full",
  refused: "refused when they came: vedette's log says why",
  restored_backup: "stored after the backup that this control plane was restored from",
  unexplained: "their device has them no more, and never said why",
};

export function addCounts(prediction: Command, io: Io): void {
  prediction
    .command("counts")
    .description("every prediction that was numbered: by version, source and reason; missing and why; awaited; erased")
    .addHelpText("after", "\nExample:\n  $ vedette prediction counts\n  $ vedette prediction counts --json")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const counts = await (await context.api()).counts();
      context.answer(counts, describeCounts(counts));
    });
}

function describeCounts({ models, inSpools }: PredictionCounts): string {
  const { batches, devices, asOf } = inSpools;
  const spools =
    asOf === null
      ? "No device has said yet what it still holds.\n"
      : `Still on devices: ${batches} batches on ${devices} devices, as they said since ${asOf}.\n`;
  if (models.length === 0) return `No prediction has come yet.\n${spools}`;
  return `${models.map(describeModel).join("\n")}\n${spools}`;
}

function describeModel({ model, numbered, answered, missing, expected }: Model): string {
  const rows = [
    ...answered.map(({ version, source, reason, rows, erased, removed }) => [
      version,
      reason === null ? source : `${source}: ${reason}`,
      rows,
      [...(erased > 0 ? [`${erased} erased`] : []), ...(removed > 0 ? [`${removed} removed by retention`] : [])].join(
        ", ",
      ) || null,
    ]),
    ...missing.map(({ version, reason, rows }) => [version, `missing: ${reason}`, rows, meanings[reason] ?? null]),
    ...(expected > 0 ? [[null, "awaited", expected, "between batches that came out of order"]] : []),
  ];
  return `${model}: ${numbered} ${numbered === 1 ? "prediction" : "predictions"} numbered\n${table(["version", "what", "rows", "note"], rows)}`;
}
