/** While a rollout decides which version devices get, nobody assigns another one beside it. */
import { VedetteError } from "@vedette/protocol/errors";
import type { Database } from "../../db/database.ts";
import type { Selector } from "../../db/records.ts";
import { matches } from "../decide-slots.ts";
import { endOf, nameOf, overlap } from "./overlap.ts";

/** @throws VedetteError conflict naming the rollout that has some of the devices. */
export async function refuseWhileRolling(db: Database, model: string, selector: Selector): Promise<void> {
  const live = (await db.rollouts.live()).filter((rollout) => rollout.model === model);
  if (live.length === 0) return;
  const devices = await db.devices.members();
  const has = live.find((rollout) => {
    const named = overlap(rollout.policy.selector, selector, devices);
    return named || devices.some((device) => rollout.members.has(device.agent) && matches(selector, device));
  });
  if (!has) return;
  throw new VedetteError(
    "conflict",
    `${nameOf(has)} has some of these devices: wait until it is over, or end it with \`${endOf(has)}\``,
  );
}
