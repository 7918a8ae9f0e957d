/** An operator ends an experiment. Pure: answers what becomes of it, or says why not. */
import { VedetteError } from "@vedette/protocol/errors";
import type { Rollout } from "../../db/rollout-records.ts";
import { type Advanced, end, isOver } from "../rollouts/advance.ts";

/**
 * @param keep candidate: it is promoted, so that it becomes the rule; incumbent: nothing lies over the rules any more.
 * @throws VedetteError conflict where it is over.
 */
export function stop(
  experiment: Rollout,
  keep: "incumbent" | "candidate",
  reason: string | null,
  actor: string,
  now: number,
): Advanced {
  const { id, state, why, verdict } = experiment;
  if (isOver(state)) {
    throw new VedetteError(
      "conflict",
      `experiment ${id} is over (${state}: ${why}): a version is given to all with vedette rollout start`,
    );
  }
  const found = verdict?.result ? `; ${verdict.result.why}` : "";
  const said = `${reason ?? `stopped by ${actor}`}; the ${keep} is kept${found}`;
  const ended = end(experiment, keep === "candidate" ? "promoted" : "concluded", said, now);
  const detail = { keep, reason, result: verdict?.result ?? null };
  return {
    ...ended,
    decisions: ended.decisions.map((one) => ({ ...one, action: "rollout.stop", detail: { ...one.detail, ...detail } })),
  };
}
