/** A whole control plane with devices that tell what a test has them tell, for rollouts: the real judge reads it. */
import type { Reported } from "@vedette/protocol/messages";
import type { rolloutPolicy } from "@vedette/protocol/rollout";
import { rollout as rolloutSchema } from "@vedette/protocol/rollouts-api";
import { latencyBin, type ShadowParcel, shadowParcel } from "@vedette/protocol/shadow";
import type { z } from "zod";
import type { Parts } from "../src/compose.ts";
import { makeBundle } from "./bundle.ts";
import type { ManualClock } from "./clock.ts";
import type { Operator } from "./operator.ts";
import { abilities, enroll, hello, initialiseTrust, publish, type Site, startSite } from "./site.ts";

export const one = makeBundle("rain", "one");
export const two = makeBundle("rain", "two");
export const newer = { ...abilities, capability: 3 };
export const names = ["gauge-1", "gauge-2", "gauge-3", "gauge-4"];
const metrics = [{ metric: "unfit" as const, margin: 0.02 }];
export const canaries = [
  { kind: "canary" as const, share: 0.25 },
  { kind: "canary" as const, share: 1 },
];
type Fit = ShadowParcel["counts"]["fit"];

interface SiteOver {
  /** A site that was there before is started again. */
  readonly home?: string;
  readonly clock?: ManualClock;
  readonly parts?: Partial<Parts>;
}

/** A site whose devices have version 1 by a rule; version 2 is published. */
export async function siteOfTwo(over: SiteOver = {}) {
  const site = await startSite(over);
  if (!over.home) await publishTwo(site);
  return site;
}

/** Makes of a new site the one above. @returns who signs for it. */
export async function publishTwo(site: Site): Promise<Operator> {
  const operator = await initialiseTrust(site);
  await publish(site, operator, [one]);
  await publish(site, operator, [one, two]);
  for (const name of names) await enroll(site, name);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  return operator;
}

/** The same, where the real judge reads what devices tell. */
export async function rolloutSite(over: SiteOver = {}) {
  const site = await siteOfTwo(over);
  let n = 0;
  /** Each says hello with its labels, follows, and reports that it served so many predictions. */
  const live = async (served = 20, labelled: Readonly<Record<string, Record<string, string>>> = {}) => {
    for (const agent of names) {
      await site.fleet.presence(agent, true, 1);
      const labels = labelled[agent] ?? {};
      const { assignment } = await hello(site, agent, { abilities: newer, labels });
      const slot = assignment?.slots[0];
      if (!assignment || !slot) continue;
      const serving = { digest: slot.digest, release: slot.release ?? 1 };
      const told = { model: "rain", serving, previous: null, candidate: null, served, drift: [] };
      const report: Reported = {
        ...{ agent, rev: assignment.rev, at: 0, abilities: newer, labels },
        slots: [{ ...told, sources: {}, reasons: {} }],
      };
      await site.fleet.reported(agent, report);
    }
  };
  /** A canary tells what came of its rows. */
  const tell = (agent: string, fit: Fit, epoch = "00000000000000aa") => {
    const rows = fit.reduce((sum, count) => sum + count, 0);
    const runs = [[latencyBin(2), rows]];
    return site.fleet.shadow(
      agent,
      shadowParcel.parse({
        ...{ model: "rain", answering: two.digest, beside: one.digest, window: { epoch, n: n++, from: 0, to: 1 } },
        counts: {
          ...{ rows, skipped: 0, fit, agreed: fit[0], table: fit[0] > 0 ? [[0, 0, fit[0]]] : [], value: null },
          confidence: { n: fit[0], sum: 0, sumSquares: 0 },
          latency: { answering: runs, beside: runs },
        },
        ...{ disagreements: [], omitted: 0 },
      }),
    );
  };
  const start = (policy: z.input<typeof rolloutPolicy> = {}) =>
    site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: { stages: canaries, metrics, ...policy } });
  const look = async (id = 1) => rolloutSchema.parse((await site.call("GET", `/v1/rollouts/${id}`)).body);
  const round = async () => {
    site.clock.advance(2_000);
    return look();
  };
  return { site, live, tell, start, look, round };
}
