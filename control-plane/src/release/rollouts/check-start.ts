/** Whether a rollout may be started, said before anything is written. */
import { VedetteError } from "@vedette/protocol/errors";
import type { ExperimentPlan } from "@vedette/protocol/experiment";
import type { StartRollout } from "@vedette/protocol/rollouts-api";
import type { Rollout } from "../../db/rollout-records.ts";
import { candidateKind } from "../experiments/join-arms.ts";
import { checkPolicy } from "./check-policy.ts";
import { inScope, leftOut } from "./cohort.ts";
import { notBegun } from "./not-begun.ts";
import { endOf, nameOf, overlap } from "./overlap.ts";
import { type Gate, type Moment, readWorld } from "./read-world.ts";
import type { DeviceFacts } from "./world.ts";

/**
 * A new rollout, or experiment, and the fleet as it sees it, where nothing speaks against it.
 * @throws VedetteError as `Rollouts.start` does.
 */
export async function checkStart(
  request: StartRollout,
  actor: string,
  moment: Moment,
  ports: { gate: Gate; online: (agent: string) => boolean; salt: () => string },
  experiment?: ExperimentPlan,
): Promise<{ draft: Omit<Rollout, "id">; devices: readonly DeviceFacts[] }> {
  const { model, version, policy, queue } = request;
  checkPolicy(policy);
  const ofModel = moment.candidates.filter((one) => one.model === model);
  if (ofModel.length === 0) throw new VedetteError("not_found", `there is no model ${model}: publish it first`);
  const candidate = ofModel.find((one) => one.version === version);
  if (!candidate) {
    const have = ofModel.map((one) => one.version).join(", ");
    throw new VedetteError("not_found", `${model} has no version ${version}; it has ${have}`);
  }
  const name = `${model} version ${version}`;
  if (candidate.assignable === "revoked")
    throw new VedetteError("revoked", `${name} is revoked: choose a later version`);
  if (candidate.assignable === "not listed") {
    throw new VedetteError("unknown_target", `${name} is no longer listed by its project: choose another version`);
  }
  const gate = await ports.gate(model, version);
  if (!gate.passed) {
    throw new VedetteError(
      "conflict",
      `${name} has not passed the gate: ${gate.why} ` +
        `(\`vedette gate show --model ${model} --version ${version}\` tells what to do)`,
    );
  }

  const devices = moment.fleet.map(({ device }) => device);
  if ("devices" in policy.selector) {
    const unknown = policy.selector.devices.find((agent) => !devices.some((device) => device.agent === agent));
    if (unknown !== undefined) {
      throw new VedetteError(
        "not_found",
        `no device is enrolled as ${unknown}: \`vedette device list\` shows those that are`,
      );
    }
  }
  const other = moment.live.find(
    (one) => one.model === model && overlap(one.policy.selector, policy.selector, devices),
  );
  if (other && !queue) {
    throw new VedetteError(
      "conflict",
      `${nameOf(other)} has some of the same devices: wait for it or end it with \`${endOf(other)}\`` +
        (experiment ? "" : ", or start this one with --queue"),
    );
  }
  const draft: Omit<Rollout, "id"> = {
    ...{ model, version, digest: candidate.digest, salt: ports.salt(), policy, experiment: experiment ?? null },
    ...{ createdAt: moment.now, createdBy: actor },
    ...notBegun,
    ...{ state: other ? "queued" : "running", why: gate.why },
  };
  const world = await readWorld({ ...draft, id: 0 }, { ...moment, live: [] }, ports);
  refuseWithoutDevices({ ...draft, id: 0 }, world.devices);
  return { draft, devices: world.devices };
}

/** @throws VedetteError unsupported, conflict where no device could take part in one of the stages. */
function refuseWithoutDevices(draft: Rollout, devices: readonly DeviceFacts[]): void {
  const named = inScope(draft, devices);
  const name = `${draft.model} version ${draft.version}`;
  if (named.length === 0) {
    throw new VedetteError(
      "conflict",
      `no device is there to take ${name}, or all that are run it already: ` +
        `\`vedette device list\` shows what each runs, and the next version is published first (\`vedette model publish\`)`,
    );
  }
  const kinds = draft.experiment ? [candidateKind(draft)] : draft.policy.stages.map((stage) => stage.kind);
  for (const kind of new Set(kinds)) {
    const reasons = named.map((device) => leftOut(draft, device, kind));
    if (reasons.some((reason) => reason === null)) continue;
    const first = `${named[0]?.agent}: ${reasons[0]}`;
    const advice = named.every(({ incumbent }) => incumbent === null)
      ? "; a first version goes out by `vedette model assign`"
      : "";
    const part = draft.experiment ? "an experiment" : `a ${kind} stage`;
    throw new VedetteError("unsupported", `no device can take part in ${part} of ${name} (${first})${advice}`);
  }
}
