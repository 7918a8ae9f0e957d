/** Whether what a replay rests on is still there, said before anything is replayed. Pure. */
import { VedetteError } from "@vedette/protocol/errors";
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import type { Rollout } from "../../db/rollout-records.ts";
import { historyKeptMs, parcelsKeptMs } from "../forget-evidence.ts";
import { judgesAlike } from "./replay.ts";

/** @throws VedetteError conflict where it is not. @param now UTC ms. */
export function checkKept({ id, endedAt, policy: was }: Rollout, policy: RolloutPolicy, now: number): void {
  const over = now - (endedAt ?? now);
  const days = (ms: number) => ms / 86_400_000;
  if (over >= historyKeptMs)
    throw new VedetteError(
      "conflict",
      `rollout ${id} ended over ${days(historyKeptMs)} days ago: its history is not kept any more`,
    );
  if (over < parcelsKeptMs || judgesAlike(policy, was)) return;
  const why = `what devices found in rollout ${id} was kept for ${days(parcelsKeptMs)} days after its end`;
  throw new VedetteError("conflict", `${why}: only a policy with its very metrics and errors can be replayed still`);
}
