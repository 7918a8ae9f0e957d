/** `vedette production`: what is in production, where, trained on what, and how it does. */
import type { Production } from "@vedette/protocol/production-api";
import type { Command } from "commander";
import { whereOf } from "../monitoring/drift/subjects.ts";
import { minute } from "../utc-minute.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { describeWatched } from "./production-watched.ts";
import { nextCommand } from "./rollout-next.ts";
import { show } from "./table.ts";

type Model = Production["models"][number];
type Version = Model["versions"][number];
type Pending = Version["pending"][number];
type Release = NonNullable<Production["rollouts"]>[number];

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
export function describeProduction({
  site,
  at,
  models,
  warnings = [],
  watched = [],
  rollouts = [],
}: Production): string {
  const under = rollouts.map(describeUnderWay);
  const paragraphs = [
    ...under,
    ...models.flatMap((model) => describeModel(model, at)),
    ...watched.map(describeWatched),
  ];
  if (paragraphs.length === 0) paragraphs.push("Nothing is published yet: vedette model publish --help");
  const urgent = warnings.map((warning) => `Warning: ${warning}\n`).join("");
  return `Site ${site}, ${minute(at)}\n${urgent}\n${paragraphs.join("\n\n")}\n`;
}

function describeUnderWay(one: Release): string {
  const { id, model, version, state, stage, stages, why, experiment } = one;
  const head = `${experiment ? "Experiment" : "Rollout"} ${id}: ${model} version ${version}, ${show(state).replaceAll("_", " ")}`;
  return `${head}${experiment ? "" : `, stage ${stage} of ${stages}`}\n  ${show(why)}\n  ${nextOf(one)}`;
}

/** Looking on is of no use where it waits for somebody. */
function nextOf({ id, state, stage, experiment }: Release): string {
  if (!experiment) return nextCommand({ id, state, stageNumber: stage }) ?? `vedette rollout watch ${id}`;
  const on = (verb: string) => `vedette experiment ${verb} ${id}`;
  return state === "paused" ? `${on("resume")}, or ${on("stop")}` : on("watch");
}

function describeModel(
  { model, versions, published, otherPredictions, missing = 0, takenBack }: Model,
  at: string,
): string[] {
  const told = versions.toSorted((a, b) => b.version - a.version);
  const others = published.filter((version) => told.every((one) => one.version !== version));
  const rest = [
    ...(others.length > 0 ? [`version${others.length === 1 ? "" : "s"} ${named(others.map(String))} published`] : []),
    ...(otherPredictions > 0 ? [`${plural(otherPredictions, "answer")} in the lake by these or before any`] : []),
    ...(missing > 0 ? [`${plural(missing, "answer")} missing, as the devices themselves counted`] : []),
  ];
  const paragraphs = told.map((version) => describeVersion(model, version, at, takenBack));
  if (takenBack) paragraphs.push(describeTakenBack(model, takenBack));
  // One version says so itself.
  if (published.length > 1 && versions.every(({ assignedTo }) => assignedTo.length === 0)) {
    paragraphs.unshift(
      `No version of ${model} is assigned to anybody: vedette model assign --name ${model} --version ${published.at(-1)} --all`,
    );
  }
  return rest.length > 0 ? [...paragraphs, `${model} also: ${rest.join("; ")} (vedette model list)`] : paragraphs;
}

function describeTakenBack(model: string, back: NonNullable<Model["takenBack"]>): string {
  const { rollout, experiment, version, state, why, endedAt, devices, waiting } = back;
  const still = waiting.length > 0 ? `; not yet: ${named(waiting)}` : "";
  const how = show(state).replaceAll("_", " ");
  return [
    `${model} version ${version} was ${how} at ${minute(endedAt)} (${experiment ? "experiment" : "rollout"} ${rollout})`,
    `  ${show(why)}`,
    `  ${devices - waiting.length} of ${plural(devices, "device")} that had it run the version before again${still}`,
  ].join("\n");
}

function describeVersion(model: string, version: Version, at: string, takenBack: Model["takenBack"]): string {
  const lines: [name: string, text: string][] = [
    [
      "published",
      `${version.revoked ? "REVOKED; " : ""}${minute(version.publishedAt)}, digest ${version.digest.slice(0, 12)}`,
    ],
    ["trained", describeTraining(version.lineage)],
    ["assigned to", version.assignedTo.map(describeSelector).join("; ") || "nobody"],
    ["serving on", named(version.serving) || "no device"],
  ];
  for (const { rollout, experiment, canary, shadow, split = [] } of version.byRollout ?? []) {
    const kind = experiment ? "experiment" : "rollout";
    const parts = [
      ...(canary.length > 0 ? [`canary on ${named(canary)}`] : []),
      ...(shadow.length > 0 ? [`asked beside the version that answers on ${named(shadow)}`] : []),
      ...(split.length > 0 ? [`answering some of the entities on ${named(split)}`] : []),
    ];
    lines.push([
      experiment ? "experiment" : "by rollout",
      `${rollout}: ${parts.join("; ") || "on no device yet"} (vedette ${kind} show ${rollout})`,
    ]);
  }
  const trial = version.pending.filter(onProbation);
  const waiting = version.pending.filter((each) => !onProbation(each));
  if (trial.length > 0) {
    const progress = trial.map(({ agent, passed, of }) => `${agent} (${passed} of ${of})`);
    lines.push([
      "on probation",
      `answering: ${named(progress)}; a device serves after that many answers without a fault`,
    ]);
  }
  for (const { agent, state, reason } of waiting.slice(0, mostNamed))
    lines.push(["pending", `${agent}: ${show(state)}${reason === null ? "" : `, ${show(reason)}`}`]);
  const more = waiting.length - mostNamed;
  if (more > 0) lines.push(["", `and ${more} more: vedette device list`]);
  if (version.predictions > 0 || version.serving.length > 0) lines.push(["answers", describeAnswers(version, at)]);
  if (version.serving.length > 0) lines.push(["drift", describeDrift(version)]);
  if (version.fleetDrift) {
    const [first, ...more] = describeFleetDrift(version.fleetDrift);
    lines.push(["fleet drift", first ?? ""], ...more.map((text): [string, string] => ["", text]));
  }
  if (version.reported) lines.push(["reported", describeReported(version.reported)]);
  // Where the model's last rollout is told of apart, that says why.
  const { notKept } = version;
  if (notKept && isIdle(version) && notKept.rollout !== takenBack?.rollout)
    lines.splice(2, 0, ["not kept", `${show(notKept.why)} (${howEnded(notKept).command})`]);
  const body = lines.map(([name, text]) => `  ${name.padEnd(12)}  ${text}`);
  return [`${model} version ${version.version}: ${verdict(version)}`, ...body].join("\n");
}

/** The whole paragraph in a few words. */
function verdict({
  version,
  serving,
  pending,
  assignedTo,
  drift,
  byRollout = [],
  notKept,
  predictions,
}: Version): string {
  if (serving.length + pending.length === 0) {
    const asked = byRollout.reduce((sum, { shadow }) => sum + shadow.length, 0);
    if (asked > 0) return `in no answer yet, and asked beside on ${plural(asked, "device")}`;
    const split = byRollout.reduce((sum, { split = [] }) => sum + split.length, 0);
    if (split > 0) return `answering some of the entities on ${plural(split, "device")}`;
    const [first] = byRollout;
    if (first) return `given to no device yet by ${first.experiment ? "experiment" : "rollout"} ${first.rollout}`;
    if (notKept && assignedTo.length === 0) return `${howEnded(notKept).how}, and assigned to nobody`;
    // A newer rule names the same devices.
    if (predictions > 0 && assignedTo.length > 0)
      return "assigned, and no device has it any more: newer rules go first";
    return assignedTo.length === 0
      ? `published, and assigned to nobody (vedette ${version === 1 ? "model assign" : "rollout start"} --help)`
      : "assigned, and no device has it yet (vedette device enroll --help)";
  }
  const trial = pending.filter(onProbation).length;
  if (serving.length === 0 && trial > 0)
    return `on probation on ${trial} of ${plural(pending.length, "device")}, and answering there`;
  if (serving.length === 0) return `assigned, and none of ${plural(pending.length, "device")} serves it yet`;
  const drifted = new Set(drift.flatMap(({ devices }) => devices)).size;
  const where = `in production on ${serving.length} of ${plural(serving.length + pending.length, "device")}`;
  return drifted > 0 ? `${where}, inputs DRIFT on ${drifted}` : where;
}

/** No device has it, should have it, or is given it by a rollout. */
function isIdle({ serving, pending, assignedTo, byRollout = [] }: Version): boolean {
  return serving.length + pending.length + assignedTo.length + byRollout.length === 0;
}

function howEnded({ rollout, experiment, state, endedAt }: NonNullable<Version["notKept"]>) {
  const kind = experiment ? "experiment" : "rollout";
  const how =
    state === "concluded"
      ? `tried by experiment ${rollout} until ${minute(endedAt)}`
      : `${show(state).replaceAll("_", " ")} at ${minute(endedAt)} by ${kind} ${rollout}`;
  return { how, command: `vedette ${kind} show ${rollout}` };
}

function describeTraining(lineage: Version["lineage"]): string {
  const reference = objectOf(lineage.reference);
  const when =
    typeof lineage.trainedAt === "string"
      ? minute(lineage.trainedAt)
      : "at a time that was not told (publish says --trained-at)";
  const data =
    typeof reference.file === "string"
      ? `${show(reference.file)}, ${plural(Number(reference.rows), "row")}`
      : "unknown data";
  const figures = Object.entries(objectOf(lineage.trainingData)).flatMap(([name, value]) =>
    name !== "rows" && typeof value === "number" ? [`${show(name)} ${Number(value.toPrecision(3))}`] : [],
  );
  return `${when}, on ${data}${figures.length > 0 ? ` (there: ${figures.join(", ")})` : ""}`;
}

function describeAnswers({ predictions, bySource }: Version, at: string): string {
  const counts = Object.entries(bySource).filter(([, count]) => count > 0);
  const shares = counts.map(([source, count]) => `${count} by ${show(source)} (${percent(count / predictions)})`);
  const stored = `as stored in the lake at ${minute(at)}`;
  return predictions === 0 ? `none ${stored}` : `${predictions}: ${shares.join(", ")}, ${stored}`;
}

/** Serving, probation and drift are the devices' own words, and as old as their last report. */
function describeReported({ first, last }: NonNullable<Version["reported"]>): string {
  const [from, to] = [minute(first), minute(last)];
  return `by the devices ${from === to ? `at ${to}` : `from ${from} to ${to}`}`;
}

/** It answers already, and is judged by it. */
function onProbation({ state, passed, of }: Pending): boolean {
  return state === "probation" && passed !== undefined && of !== undefined;
}

function describeDrift({ drift }: Version): string {
  return drift.map(({ field, devices }) => `${show(field)} on ${named(devices)}`).join("; ") || "none seen";
}

/** What all devices' windows say together, and a line for each event that goes on. */
function describeFleetDrift({ verdict, rounds, rows, events }: NonNullable<Version["fleetDrift"]>): string[] {
  const seen = `${plural(rows, "row")} in ${plural(rounds, "round")} since the last alarm`;
  const told = events.slice(0, mostNamed).map(({ id, scope, verdict: how, features, since }) => {
    return `event ${id}: ${how} on ${show(whereOf(scope))} since ${minute(since)}: ${features.slice(0, mostNamed).map(show).join(", ")}`;
  });
  const more = events.length - told.length;
  return [`${verdict}; ${seen}`, ...told, ...(more > 0 ? [`and ${plural(more, "more event")}: GET /v1/drift`] : [])];
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

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
