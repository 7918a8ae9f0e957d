/** Experiments as people read them: the result in a sentence, both arms, the check of the split, who takes part. */
import type { ExperimentInDetail } from "@vedette/protocol/experiments-api";
import { percent } from "../percent.ts";
import { show, table } from "./table.ts";

export function describeExperiment(experiment: ExperimentInDetail, withDevices = false): string {
  const { id, model, version, state, plan, why, result, devices, leftOut } = experiment;
  const ends = [
    ...(plan.minEffect === null ? [] : [`a difference of ${plan.minEffect} is told or ruled out`]),
    ...(plan.until === null ? [] : [`${plan.until} at the latest`]),
  ].join(", ");
  const lines = [
    `Experiment ${id}: ${model} version ${version} for ${percent(plan.share)} of ${plan.split}, ${state.replaceAll("_", " ")}`,
    `  ${plan.metric}, ${plan.better} is better; error ${plan.error}${ends === "" ? "" : `; until ${ends}`}`,
  ];
  if (result?.says === "withheld")
    lines.push("", `  !! ${show(result.why)}`, `  !! No result is shown while this stands.`);
  if (result?.says !== "withheld" || !why.includes(result.why)) lines.push("", `  ${show(why)}`);
  if (state === "paused") {
    if (result && result.says !== "withheld" && !why.includes(result.why)) lines.push(`  ${show(result.why)}`);
    lines.push(`  Who is in it stays split. Next: vedette experiment resume ${id}, or stop ${id}`);
  }
  if (result) lines.push("", ...arms(experiment, result));
  const waiting = devices.filter(({ arm, state }) => arm !== "incumbent" && state !== "counted");
  if (waiting.length > 0 && experiment.endedAt === null) {
    const first = waiting[0];
    lines.push(
      "",
      `${waiting.length} of ${devices.length} devices do not answer by the candidate: ${first?.agent} (${first?.state.replaceAll("_", " ")}${first?.reason ? `: ${show(first.reason)}` : ""})`,
    );
  }
  if (leftOut.length > 0) {
    const more = leftOut.length > 1 ? " and others" : "";
    lines.push(
      "",
      `${leftOut.length} left out, in no arm: ${leftOut[0]?.agent} (${show(leftOut[0]?.reason ?? null)})${more}`,
    );
  }
  const rows = devices.map((device) => [
    ...[device.agent, device.arm, device.state.replaceAll("_", " ")],
    // Once it is over a device tells of what it serves since.
    ...[experiment.endedAt === null ? device.served : null, device.since, device.reason],
  ]);
  const columns = ["device", "arm", "state", "served by the candidate", "since", "why"];
  if (withDevices && rows.length > 0) lines.push("", table(columns, rows).trimEnd());
  // Its devices answer by the incumbent again.
  if (state === "concluded" && result?.says === "better")
    lines.push("", `Next, to give it to all: vedette rollout start --model ${model} --version ${version}`);
  return `${lines.join("\n")}\n`;
}

function arms({ plan }: ExperimentInDetail, result: NonNullable<ExperimentInDetail["result"]>): string[] {
  const { candidate, incumbent, checks, difference } = result;
  const hidden = result.says === "withheld";
  const row = (name: string, { units, measured, values, mean, crossed }: typeof candidate) => [
    ...[name, units, measured, values, hidden ? "withheld" : mean, crossed],
  ];
  const columns = ["arm", plan.split, "with values", "values", "mean", "crossed"];
  const rows = [row("candidate", candidate), row("incumbent", incumbent)];
  const told = difference
    ? [`difference ${show(difference.estimate)}, between ${show(difference.low)} and ${show(difference.high)}`]
    : [];
  const split = checks.map(({ of, candidate, incumbent, alarm }) => {
    const which = of === "units" ? plan.split : `${plan.split} with values`;
    return `split of ${which} ${candidate} : ${incumbent}: ${alarm ? "NOT AS PLANNED" : "as planned"}`;
  });
  const settled = checks.find((check) => check.of === "units");
  const newer = settled ? candidate.units + incumbent.units - settled.candidate - settled.incumbent : 0;
  if (newer > 0) {
    const those = newer === 1 ? "1 more is" : `${newer} more are`;
    split.push(`(${those} held against the plan once both arms' logs of that time are here)`);
  }
  return [...table(columns, rows).trimEnd().split("\n"), ...told, ...split].map((line) => `  ${line}`);
}
