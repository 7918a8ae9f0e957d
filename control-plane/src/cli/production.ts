/** `vedette production`: what is in production, where, trained on what, and how it does. */
import type { Production } from "@vedette/protocol/api";
import type { Command } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { show } from "./table.ts";

export function addProduction(program: Command, io: Io): void {
  program
    .command("production")
    .description("what runs where, since when, trained on what, and how it does")
    .addHelpText("after", "\nExample:\n  $ vedette production")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const answer = await (await context.api()).production();
      context.answer(answer, describeProduction(answer));
    });
}

/** As a person reads it: one paragraph a version. */
export function describeProduction({ site, at, models }: Production): string {
  const lines = [`Site ${site}, ${at}`];
  if (models.length === 0) lines.push("Nothing is in production: vedette model publish --help");
  for (const { model, versions } of models) {
    for (const version of versions) {
      lines.push(
        "",
        `${model} version ${version.version}  (${version.digest.slice(0, 12)}, published ${version.publishedAt})`,
      );
      lines.push(`  trained on   ${describeLineage(version.lineage)}`);
      lines.push(`  serving on   ${version.serving.join(", ") || "no device"}`);
      for (const { agent, state, reason } of version.pending) {
        lines.push(`  pending      ${agent}: ${state}${reason === null ? "" : `, ${show(reason)}`}`);
      }
      const sources = Object.entries(version.bySource).map(([source, count]) => `${count} by ${source}`);
      lines.push(`  predictions  ${version.predictions}${sources.length > 0 ? ` (${sources.join(", ")})` : ""}`);
      for (const { field, devices } of version.drift)
        lines.push(`  drift        ${show(field)} on ${devices.join(", ")}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function describeLineage(lineage: Production["models"][number]["versions"][number]["lineage"]): string {
  const reference = objectOf(lineage.reference);
  const metrics = Object.entries(objectOf(lineage.trainingData)).filter(([name]) => name !== "rows");
  const told = metrics.flatMap(([name, value]) => (typeof value === "number" ? [`${name} ${show(value)}`] : []));
  const data =
    typeof reference.file === "string"
      ? `${show(reference.file)}, ${show(Number(reference.rows))} rows`
      : "unknown data";
  return [data, ...told].join(", ");
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
