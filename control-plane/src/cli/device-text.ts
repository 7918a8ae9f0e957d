/** One device as people read it: what it should run, what it does, and why. Pure. */
import type { Device } from "@vedette/protocol/api";
import { show } from "./table.ts";

type Slot = NonNullable<Device["reported"]>["slots"][number];

export function describeDevice({
  agent,
  online,
  labels,
  lastSeen,
  assigned,
  reported,
  revoked,
  rollouts = [],
}: Device): string {
  const state = revoked ? `revoked at ${revoked.at}: ${show(revoked.reason)}` : online ? "online" : "offline";
  const named = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const models = [...new Set([...assigned, ...(reported?.slots ?? [])].map(({ model }) => model))].sort();
  const lines: [name: string, text: string][] = [
    ["labels", named.join(" ") || "none"],
    ["last seen", lastSeen ?? "never"],
    ["runtime", reported ? show(reported.abilities.runtime) : "it has told nothing yet"],
  ];
  const head = lines.map(([name, text]) => line(name, text));
  const paragraphs = models.map((model) => {
    const wanted = assigned.find((one) => one.model === model);
    const slot = reported?.slots.find((one) => one.model === model);
    const of = rollouts.filter((one) => one.model === model);
    return [model, ...ofModel(wanted?.version, slot), ...of.map((one) => line("rollout", because(one)))].join("\n");
  });
  return `${[[`${agent}: ${state}`, ...head].join("\n"), ...paragraphs].join("\n\n")}\n`;
}

function ofModel(wanted: number | undefined, slot: Slot | undefined): string[] {
  const { serving = null, previous = null, candidate = null, beside, served = 0 } = slot ?? {};
  const told = (state: string, reason?: string, why?: string) =>
    `${show(state)}${reason === undefined ? "" : `, ${show(reason)}`}${why === undefined ? "" : `: ${show(why)}`}`;
  return [
    line("assigned", wanted === undefined ? "nothing" : `version ${wanted}`),
    line("serving", serving ? `version ${serving.release}, ${served} predictions` : "no version: the fallback answers"),
    ...(previous ? [line("previous", `version ${previous.release}, still on the device`)] : []),
    ...(candidate
      ? [line("candidate", `version ${candidate.release}: ${told(candidate.state, candidate.reason, candidate.why)}`)]
      : []),
    ...(beside
      ? [
          line(
            "beside",
            `version ${beside.release}: ${told(beside.state, beside.reason, beside.why)}, ${beside.pairs} pairs`,
          ),
        ]
      : []),
  ];
}

function because(one: NonNullable<Device["rollouts"]>[number]): string {
  const { rollout, experiment, version, as, state, why } = one;
  const of = `${experiment ? "experiment" : "rollout"} ${rollout}`;
  const how = `${show(state).replaceAll("_", " ")}${why === null ? "" : `: ${show(why)}`}`;
  if (as === "returned") return `returned from version ${version} (${of}, ${how})`;
  if (as === "split") return `answers some of the entities by version ${version} of ${of}, ${how}`;
  if (experiment) return `answers by version ${version} of ${of}, ${how}`;
  return `${as === "canary" ? "answers by" : "is asked"} version ${version} as ${as} of ${of}, ${how}`;
}

function line(name: string, text: string): string {
  return `  ${name.padEnd(10)}  ${text}`;
}
