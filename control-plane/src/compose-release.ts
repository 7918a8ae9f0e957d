/**
 * The rooms that decide whether a version is released, and how: gate, rollouts, experiments, hands-free. `compose.ts` opens them
 * when the broker is there, since what they decide is told to devices at once.
 */
import { randomBytes } from "node:crypto";
import type { Database } from "./db/database.ts";
import type { Assignments } from "./fleet/assignments.ts";
import type { Presence } from "./fleet/presence.ts";
import type { BlobStore, Clock, Labels, Logger } from "./ports.ts";
import type { Reconciler } from "./reconciler.ts";
import { createPublishVersion, type PublishVersion } from "./registry/publish-version.ts";
import { createEvidenceJudge } from "./release/analysis/gather-evidence.ts";
import type { Director } from "./release/director.ts";
import { createExperimentJudge } from "./release/experiments/gather-units.ts";
import { createEvidenceRetention } from "./release/forget-evidence.ts";
import { createGates, type Gates } from "./release/gate/gate.ts";
import { createReleases, type Releases } from "./release/hands-free/releases.ts";
import type { OnlineKeys } from "./release/online-keys.ts";
import type { Gate } from "./release/rollouts/read-world.ts";
import { createRollouts, type Rollouts } from "./release/rollouts/rollouts.ts";
import type { Judge } from "./release/rollouts/world.ts";
import type { TrustRepository } from "./release/trust-repository.ts";

const rolloutsEveryMs = 2_000;
const releasesEveryMs = 5_000;
const gateEveryMs = 60_000;
const forgetEveryMs = 600_000;

export interface ReleaseRooms {
  readonly publishVersion: PublishVersion;
  readonly gates: Gates;
  readonly rollouts: Rollouts;
  readonly releases: Releases;
  readonly reconcilers: readonly Reconciler[];
  /** Before the lake is closed, which experiments are measured in. */
  close(): Promise<void>;
}

/** @param instead of the rooms here: what the evidence says of a rollout, and whether a version may be released. */
export function composeRelease(
  ports: {
    site: string;
    db: Database;
    keys: OnlineKeys;
    blobs: BlobStore;
    labels: Labels;
    trust: TrustRepository;
    director: Director;
    presence: Pick<Presence, "there">;
    assignments: Pick<Assignments, "reconcile">;
    clock: Clock;
    /** The one that rollouts go by. */
    steady: Clock;
    logger: Logger;
  },
  instead: { judge?: Judge | undefined; gate?: Gate | undefined },
): ReleaseRooms {
  const { site, db, keys, blobs, labels, trust, director, presence, assignments, clock, steady, logger } = ports;
  const gates = createGates({ site, db, trust, director, blobs, clock, logger, keys });
  const publish = createPublishVersion({ trust, blobs, clock });
  const judgeOf = (of: "now" | "past"): Judge => instead.judge ?? createEvidenceJudge({ db, labels, clock, of });
  const { judge, close } = createExperimentJudge({ labels, logger, judge: judgeOf("now") });
  const rollouts = createRollouts({
    db,
    director,
    logger,
    clock: steady,
    wall: clock,
    online: (agent) => presence.there(agent),
    gate: instead.gate ?? gates.answer,
    judge,
    judgeOfPast: () => judgeOf("past"),
    salt: () => randomBytes(16).toString("hex"),
    assign: () => assignments.reconcile(),
  });
  const releases = createReleases({ site, db, trust, gates, rollouts, blobs, clock, logger });
  return {
    async publishVersion(request) {
      const version = await publish(request);
      if (!instead.gate) await gates.reportOnce(version);
      return version;
    },
    gates,
    rollouts,
    releases,
    reconcilers: [
      { name: "rollouts", everyMs: rolloutsEveryMs, work: () => rollouts.reconcile() },
      ...(instead.gate ? [] : [{ name: "gate", everyMs: gateEveryMs, work: () => gates.reconcile() }]),
      { name: "releases", everyMs: releasesEveryMs, work: () => releases.reconcile() },
      { name: "evidence", everyMs: forgetEveryMs, work: createEvidenceRetention({ db, clock, logger }) },
    ],
    close,
  };
}
