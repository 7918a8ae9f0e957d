/** What `vedette model publish` says of the gate, and what to do next. Pure. */
import type { GateState } from "@vedette/protocol/gate-api";
import { show } from "./table.ts";

/** Beneath what was published: each check that failed in a line of its own. */
export function gateLines({ state, why, report }: GateState): string {
  const failed = report?.checks.filter(({ passed }) => passed === false) ?? [];
  if (state !== "failed" || failed.length === 0) return `  gate     ${state}: ${show(why)}\n`;
  const lines = failed.map((check) => `           ${show(`${check.name}: ${check.why}`)}\n`);
  return `  gate     FAILED, and no rollout takes it as it is:\n${lines.join("")}`;
}

/** A first version is assigned; the next ones are released beside it, where the gate lets them. */
export function nextAfterPublish({ model, version, state }: GateState): string {
  const of = `--model ${model} --version ${version}`;
  if (state === "failed") return `vedette gate show ${of}; publish a better one, or vedette gate override --help`;
  if (state === "missing") return `vedette gate run ${of}; no rollout takes it unchecked`;
  if (version === 1) return `vedette model assign --name ${model} --version 1 --all`;
  return `vedette rollout start ${of}, in stages; or vedette model assign --help`;
}

/** That the version is there already, and what holds it, where something does: whoever publishes once more is to see that, too. */
export function describeUnchanged(gate: GateState): string {
  const there = `This is ${gate.model} version ${gate.version} already; nothing to publish.\n`;
  if (gate.state === "passed" || gate.state === "overridden") return there;
  return `${there}${gateLines(gate)}Next: ${nextAfterPublish(gate)}\n`;
}
