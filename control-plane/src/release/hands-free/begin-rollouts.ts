/**
 * Begins the rollout of what a signer released, where the model's policy says so: of the newest one only, once, and not while
 * an operator has frozen the model. Asked again and again by the reconciler of `releases.ts`.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Database } from "../../db/database.ts";
import type { ReleaseRecord } from "../../db/releases.ts";
import type { Rollout } from "../../db/rollout-records.ts";
import { handsFree } from "../../machine-actors.ts";
import type { Clock, Logger } from "../../ports.ts";
import type { Rollouts } from "../rollouts/rollouts.ts";

export function isHandsFree({ createdBy }: { readonly createdBy: string }): boolean {
  return createdBy === handsFree;
}

interface Ports {
  readonly db: Database;
  readonly rollouts: Pick<Rollouts, "start" | "act">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function beginRollouts(ports: Ports): Promise<void> {
  const { db } = ports;
  const settings = new Map((await db.releases.handsFree()).map((one) => [one.model, one]));
  const byModel = Map.groupBy(await db.releases.unstarted(), ({ model }) => model);
  for (const [model, released] of byModel) {
    const { policy = null, frozen = false } = settings.get(model) ?? {};
    const newest = released.reduce((a, b) => ((b.version ?? 0) > (a.version ?? 0) ? b : a));
    for (const release of released) {
      const settle = (rolloutWhy: string | null) =>
        db.releases.change(release.id, { rolloutSettled: true, rolloutWhy }, undefined);
      // Released while nothing was to begin by itself: a policy that is set later is not for it.
      if (policy === null) await settle(null);
      else if (release !== newest) await settle(`version ${newest.version} took its place`);
      else if (!frozen) await begin(release, policy, ports);
    }
  }
}

/** It waits in a queue that a newer version has joined. */
function isStale(rollout: Rollout): boolean {
  return isHandsFree(rollout) && rollout.stage === 0 && rollout.stageSince === null;
}

async function begin(
  { id, model, version, digest, rolloutWhy }: ReleaseRecord,
  policy: Parameters<Rollouts["start"]>[0]["policy"],
  { db, rollouts, clock, logger }: Ports,
): Promise<void> {
  if (version === null) return;
  try {
    // One that began just before the control plane was killed is not begun twice.
    const begun = (await db.rollouts.list(1000, { model })).find((one) => one.digest === digest && isHandsFree(one));
    const stale = begun ? [] : (await db.rollouts.live()).filter((one) => one.model === model && isStale(one));
    for (const one of stale)
      await rollouts.act(one.id, "abort", { reason: `version ${version} took its place` }, handsFree);
    const rollout = begun?.id ?? (await rollouts.start({ model, version, policy, queue: true }, handsFree));
    const detail = { model, version, digest, rollout };
    await db.releases.change(
      id,
      { rollout, rolloutWhy: "it began by itself", rolloutSettled: true },
      { at: clock.now(), actor: handsFree, action: "release.begin_rollout", subject: `release-${id}`, detail },
    );
  } catch (error) {
    if (!(error instanceof VedetteError) || error.code === "internal" || error.code === "storage_failed") throw error;
    const why = messageOf(error);
    // Never again.
    const rolloutSettled = error.code === "revoked" || error.code === "unknown_target";
    // Tried again at each round, and told once: no device is there yet, say.
    if (why === rolloutWhy && !rolloutSettled) return;
    const detail = { model, version, digest, why };
    await db.releases.change(
      id,
      { rolloutWhy: why, rolloutSettled },
      { at: clock.now(), actor: handsFree, action: "release.not_begun", subject: `release-${id}`, detail },
    );
    logger.warn("release.not_begun", { release: id, model, version, why });
  }
}
