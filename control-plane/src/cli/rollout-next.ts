/** What an operator has to say to a rollout that goes no further by itself, ready for a shell. Pure. */
import type { RolloutFacts, RolloutInDetail } from "@vedette/protocol/rollouts-api";

interface Standing {
  readonly id: number;
  /** One of `rolloutStates`. */
  readonly state: string;
  /** From 1, as people count. */
  readonly stageNumber: number;
}

/** In one line; null where it goes on by itself, or is over. */
export function nextCommand({ id, state, stageNumber }: Standing): string | null {
  const abort = `vedette rollout abort ${id} --reason "..."`;
  // By its number, so that no later stage is approved where somebody was quicker.
  if (state === "waiting_for_approval") return `vedette rollout approve ${id} --stage ${stageNumber}, or ${abort}`;
  return state === "paused" ? `vedette rollout resume ${id}, or ${abort}` : null;
}

/** Of one that is listed, whose stages count from 0. */
export function nextOf({ id, state, stage }: Pick<RolloutFacts, "id" | "state" | "stage">): string | null {
  return nextCommand({ id, state, stageNumber: stage + 1 });
}

/** How devices that it goes on without get another try; null where there are none, or it is over. */
export function retryOf({ id, members, endedAt }: RolloutInDetail): string | null {
  if (endedAt !== null) return null;
  const count = (name: string) => members.filter(({ state }) => state === name).length;
  const [failed, late] = [count("failed"), count("timed_out")];
  if (failed + late === 0) return null;
  const which = [...(failed > 0 ? [`${failed} failed`] : []), ...(late > 0 ? [`${late} timed out`] : [])].join(", ");
  return `${which}; once mended, to try again: vedette rollout retry ${id}`;
}
