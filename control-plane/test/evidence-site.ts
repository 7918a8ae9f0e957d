/** A database and a lake that a rollout's evidence is read of, and parcels as devices send them. */
import { join } from "node:path";
import type { RolloutVerdict } from "@vedette/protocol/rollout";
import { latencyBin, type ShadowParcel } from "@vedette/protocol/shadow";
import { onTestFinished } from "vitest";
import { openDatabase } from "../src/db/database.ts";
import type { Member } from "../src/db/rollout-records.ts";
import { openLake } from "../src/lake/open-lake.ts";
import { createEvidenceJudge } from "../src/release/analysis/gather-evidence.ts";
import type { DeviceFacts } from "../src/release/rollouts/world.ts";
import { epoch, testFolder, testKeys } from "./batches.ts";
import { manualClock, noon, silentLogger } from "./clock.ts";
import { rolloutOf } from "./rollout-world.ts";

/** Of the batches of these tests. */
export const incumbent = "ab".repeat(32);
export const candidate = "cd".repeat(32);
export const minute = 60_000;
export const began = noon - 10 * minute;
const metrics = [
  { metric: "unfit", margin: 0.02 },
  { metric: "accuracy", margin: 0.03, required: false },
] as const;
export const stages = [
  { kind: "shadow", share: 0.5 },
  { kind: "canary", share: 1 },
] as const;

export const member = (agent: string): Member => ({
  ...{ agent, kind: "shadow", given: "shadow", joinedAt: began, retakenAt: null, state: "counted", since: began },
  ...{ takenAt: began, takenRev: 0, reached: true, reason: null },
});
export const facts = (agent: string): DeviceFacts => ({
  ...{ agent, labels: {}, online: true, incumbent, lacks: null, shadows: true, overBudget: false, takenBy: null },
  ...{ holds: "shadow", rev: 1, reportedRev: 1, progress: { kind: "nothing" } },
});
export const rollout = rolloutOf(
  { metrics: [...metrics], stages: [...stages] },
  {
    ...{ digest: candidate, createdAt: began, stageSince: began },
    members: new Map(["dev", "other"].map((agent) => [agent, member(agent)])),
  },
);
export const devices = ["dev", "other", "stranger"].map(facts);

export async function evidenceSite() {
  const folder = testFolder();
  const db = await openDatabase(join(folder, "plane.db"));
  const clock = manualClock();
  const lake = await openLake({ clock, logger: silentLogger, deviceKeys: testKeys, folder });
  onTestFinished(async () => {
    await lake.close();
    await db.close();
  });
  let n = 0;
  /** A parcel of rows that both versions answered, but for those of which only one's answer stands. */
  const send = (agent: string, at: number, over: Partial<ShadowParcel> & { fit: ShadowParcel["counts"]["fit"] }) => {
    const { fit, answering = incumbent, disagreements = [] } = over;
    const rows = fit.reduce((sum, one) => sum + one, 0);
    const latency = {
      answering: [[latencyBin(2), rows] as [number, number]],
      beside: [[latencyBin(2), rows] as [number, number]],
    };
    const counts = {
      rows,
      skipped: 0,
      fit,
      agreed: fit[0] - disagreements.length,
      table: [],
      value: null,
      confidence: null,
      latency,
    };
    return db.shadows.add({
      ...{ agent, model: "rain", answering, beside: answering === candidate ? incumbent : candidate, epoch, n: n++ },
      ...{ fromAt: at, toAt: at, rows, counts, disagreements, omitted: 0, receivedAt: at },
    });
  };
  const judge = (of: "now" | "past" = "now") => createEvidenceJudge({ db, labels: lake.labels, clock, of });
  return { db, clock, lake, send, judge };
}
export const findingOf = ({ findings }: RolloutVerdict, metric: string) =>
  findings.find((finding) => finding.metric === metric);
