/** `vedette production`: what is in production, where, trained on what, and how it does. */
import type { Production } from "@vedette/protocol/api";
import type { Command } from "commander";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { show } from "./table.ts";

type Version = Production["models"][number]["versions"][number];

/** More devices than this in one line are counted, not named; --json names them all. */
const mostNamed = 6;

export function addProduction(program: Command, io: Io): void {
  program
    .command("production")
    .description("what model runs where, trained when and on what, and how it does")
    .addHelpText("after", "\nExample:\n  $ vedette production\n  $ vedette production --json")
    .action(async (_flags: object, command: Command) => {
      const context = contextOf(command, io);
      const answer = await (await context.api()).production();
      context.answer(answer, describeProduction(answer));
    });
}

/** As a person reads it: one paragraph a version, the newest first. */
export function describeProduction({ site, at, models }: Production): string {
  const paragraphs = models.flatMap(({ model, versions, missing = 0 }) =>
    versions
      .toSorted((a, b) => b.version - a.version)
      .map((version, i) => {
        const lost = i === 0 && missing > 0 ? `\n  ${"missing".padEnd(11)}  ${missing}, of all versions` : "";
        return describeVersion(model, version) + lost;
      }),
  );
  if (paragraphs.length === 0) paragraphs.push("Nothing is published yet: vedette model publish --help");
  return `Site ${site}, ${minute(at)}\n\n${paragraphs.join("\n\n")}\n`;
}

function describeVersion(model: string, version: Version): string {
  const lines: [name: string, text: string][] = [
    ["published", `${minute(version.publishedAt)}, digest ${version.digest.slice(0, 12)}`],
    ["trained", describeTraining(version.lineage)],
    ["assigned to", version.assignedTo.map(describeSelector).join("; ") || "nobody"],
    ["serving on", named(version.serving) || "no device"],
    ...version.pending.slice(0, mostNamed).map(({ agent, state, reason }): [string, string] => {
      return ["pending", `${agent}: ${state}${reason === null ? "" : `, ${show(reason)}`}`];
    }),
  ];
  const more = version.pending.length - mostNamed;
  if (more > 0) lines.push(["", `and ${more} more: vedette device list`]);
  if (version.serving.length > 0) lines.push(["answers", describeAnswers(version)], ["drift", describeDrift(version)]);
  const body = lines.map(([name, text]) => `  ${name.padEnd(11)}  ${text}`);
  return [`${model} version ${version.version}: ${verdict(version)}`, ...body].join("\n");
}

/** The whole paragraph in a few words. */
function verdict({ serving, pending, assignedTo, drift }: Version): string {
  if (serving.length + pending.length === 0) {
    return assignedTo.length === 0
      ? "published, and assigned to nobody (vedette model assign --help)"
      : "assigned, and no device has it yet (vedette device enroll --help)";
  }
  if (serving.length === 0) return `assigned, and none of ${plural(pending.length, "device")} serves it yet`;
  const drifted = new Set(drift.flatMap(({ devices }) => devices)).size;
  const where = `in production on ${serving.length} of ${plural(serving.length + pending.length, "device")}`;
  return drifted > 0 ? `${where}, inputs DRIFT on ${drifted}` : where;
}

function describeTraining(lineage: Version["lineage"]): string {
  const reference = objectOf(lineage.reference);
  const when = typeof lineage.trainedAt === "string" ? minute(lineage.trainedAt) : "at a time that was not told";
  const data =
    typeof reference.file === "string"
      ? `${show(reference.file)}, ${plural(Number(reference.rows), "row")}`
      : "unknown data";
  const figures = Object.entries(objectOf(lineage.trainingData)).flatMap(([name, value]) =>
    name !== "rows" && typeof value === "number" ? [`${name} ${Number(value.toPrecision(3))}`] : [],
  );
  return `${when}, on ${data}${figures.length > 0 ? ` (there: ${figures.join(", ")})` : ""}`;
}

function describeAnswers({ predictions, bySource }: Version): string {
  const total = Object.values(bySource).reduce((sum, count) => sum + count, 0);
  const shares = Object.entries(bySource).map(([source, count]) => `${percent(count / total)} by ${source}`);
  return `${predictions} with this version${total > 0 ? `; since the devices started ${shares.join(", ")}` : ""}`;
}

function describeDrift({ drift }: Version): string {
  return drift.map(({ field, devices }) => `${show(field)} on ${named(devices)}`).join("; ") || "none seen";
}

function describeSelector(selector: Version["assignedTo"][number]): string {
  if ("all" in selector) return "all devices";
  if ("devices" in selector) return named(selector.devices);
  const labels = Object.entries(selector.labels).map(([key, value]) => `${key}=${show(value)}`);
  return `devices with ${labels.join(" and ")}`;
}

function named(devices: readonly string[]): string {
  const more = devices.length - mostNamed;
  return [...devices.slice(0, mostNamed), ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}

/** An ISO date-time to the minute. */
function minute(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
