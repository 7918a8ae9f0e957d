/** A control plane whose rollouts are judged as a test says, with devices that follow what they are assigned. */
import type { Reported } from "@vedette/protocol/messages";
import type { RolloutVerdict } from "@vedette/protocol/rollout";
import { rollout as rolloutSchema } from "@vedette/protocol/rollouts-api";
import type { Parts } from "../src/compose.ts";
import type { TestBundle } from "./bundle.ts";
import type { ManualClock } from "./clock.ts";
import { names, newer, one, siteOfTwo, two } from "./rollout-site.ts";
import { verdictOf } from "./rollout-world.ts";
import { hello, type Site } from "./site.ts";

/** Devices that follow what they are assigned, and report it. */
export function followersOf(site: Site, agents: readonly string[]) {
  const rejecting = new Set<string>();
  const deaf = new Set<string>();
  const at = (digest: string) => ({ digest, release: digest === one.digest ? 1 : 2 });
  const served = new Map<string, number>();
  const counters = new Map<string, Pick<Reported["slots"][number], "sources" | "reasons">>();
  return {
    /** What a device counted of all its answers. */
    counters,
    rejecting,
    /** These go on as they are, and report nothing new. */
    deaf,
    /** Each says hello, follows, answers so many predictions and reports. */
    async live(predictions: number): Promise<Map<string, string>> {
      const runs = new Map<string, string>();
      for (const agent of agents) {
        await site.fleet.presence(agent, true, 1);
        if (deaf.has(agent)) continue;
        const { assignment } = await hello(site, agent, { abilities: newer });
        const slot = assignment?.slots[0];
        if (!assignment || !slot) continue;
        const bad = rejecting.has(agent) && slot.digest === two.digest;
        const digest = bad ? one.digest : slot.digest;
        runs.set(agent, digest);
        const count = (served.get(`${agent}/${digest}`) ?? 0) + predictions;
        served.set(`${agent}/${digest}`, count);
        const candidate = bad ? { ...at(two.digest), state: "rejected", reason: "proof_failed" } : null;
        const common = { model: "rain", serving: at(digest), previous: null, candidate, served: count };
        const report: Reported = {
          ...{ agent, rev: assignment.rev, at: 0, abilities: newer, labels: {} },
          slots: [{ ...common, drift: [], ...(counters.get(agent) ?? { sources: {}, reasons: {} }) }],
        };
        await site.fleet.reported(agent, report);
      }
      return runs;
    },
  };
}

export const stages = [
  { kind: "canary", share: 0.25 },
  { kind: "canary", share: 1 },
];

/** @param over a site that was there before, started again. */
export async function steeredSite(parts: Partial<Parts> = {}, over: { home?: string; clock?: ManualClock } = {}) {
  let verdict: RolloutVerdict = verdictOf("undecided");
  const site = await siteOfTwo({ ...over, parts: { judge: async () => verdict, ...parts } });
  const devices = followersOf(site, names);
  const start = (policy: object = {}, more: object = {}) =>
    site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: { stages, ...policy }, ...more });
  const look = async (id = 1) => rolloutSchema.parse((await site.call("GET", `/v1/rollouts/${id}`)).body);
  /** A round of the reconciler. */
  const round = async () => {
    site.clock.advance(2_000);
    // Answered after the round that the timer began.
    await look();
  };
  const say = (next: RolloutVerdict["verdict"]) => {
    verdict = verdictOf(next);
  };
  return { site, devices, start, round, look, say };
}

/** How many of them run it. */
export function running(runs: ReadonlyMap<string, string>, { digest }: TestBundle): number {
  return [...runs.values()].filter((each) => each === digest).length;
}
