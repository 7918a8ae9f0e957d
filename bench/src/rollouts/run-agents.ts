/**
 * Rollouts with real agent cores in virtual time: what devices find goes up as parcels, the real engine and its analysis judge
 * them from a real database, and what it decides is signed, fetched, proven and served. Only labels stand for themselves: the lake
 * that would join them has no virtual time.
 */
import { startSimFleet } from "../../../fixtures/src/rollouts/sim-fleet.ts";
import { drawFrom, seedOf } from "../verdicts/normal.ts";
import { agentMargin } from "./agent-cells.ts";
import { type Cell, nameOf } from "./cells.ts";
import { kindsOf } from "./generate.ts";
import type { Outcome } from "./outcome.ts";

const hourMs = 3_600_000;
/** compose-release.ts has 2 s: most of a run would be spent on looking at what has not changed. */
const roundMs = 20_000;
const mostHours = 72;
const spellMs = hourMs;
/** Of the inputs, how large a part each version answers wrongly where they are as good. */
const wrong = 0.05;
const byIncumbent = { from: 0, to: 100, answer: "twice" as const };
const byCandidate = { from: 100, to: 200, answer: "twice" as const };

/** @param run of the cell: seeds it. */
export async function runAgents(cell: Cell, run: number): Promise<Outcome> {
  const seed = seedOf(nameOf(cell)) ^ (7919 * (run + 1));
  const draw = drawFrom([seed, run, 3]);
  const fleet = await startSimFleet({
    devices: cell.devices,
    seed,
    rollouts: { everyMs: roundMs },
    labelsAfterMs: cell.labelDelay * hourMs,
    // A large site has a machine of its own: `bench -- ingest` says what a commit takes there. The others share a slow disk.
    ...(cell.devices > 200 && { commitMs: 1 }),
    first: { errs: byIncumbent },
  });
  try {
    const { world, site, devices } = fleet;
    const second = await fleet.publish({ errs: byCandidate });
    const harm = harmOf(cell, kindsOf(cell.devices, draw));
    fleet.ask(hourMs / cell.traffic, (device) => {
      const kind = draw.uniform();
      const within = 1 + Math.floor(98 * draw.uniform()) + 0.5;
      const harmed = wrong + (harm[device] ?? 0);
      return within + (kind < wrong ? byIncumbent.from : kind < wrong + harmed ? byCandidate.from : 500);
    });
    if (cell.offline > 0) {
      const away = () => {
        for (const { link } of devices) {
          link.up = draw.uniform() >= cell.offline;
          if (!link.up) link.cut();
        }
        world.after(spellMs, away);
      };
      world.after(0, away);
      await world.advance(60_000);
    }
    const id = await fleet.roll(second.release, { metrics: [{ metric: "accuracy", margin: agentMargin }] });
    const from = world.monotonic();
    const ended = async () => (await site.plane?.db.rollouts.list(1))?.[0]?.endedAt !== null;
    while (!(await ended()) && world.monotonic() - from < mostHours * hourMs) await world.advance(60_000);
    const { state, endedAt, createdAt, verdict } = await fleet.rollout(id);
    // What it was decided on, and who ever answered by the candidate.
    const pairs = verdict?.findings.find(({ metric }) => metric === "accuracy")?.n ?? 0;
    const reached = devices.filter(({ asked }) =>
      asked.some(({ end }) => end.kind === "answered" && end.digest === second.digest),
    ).length;
    if (site.faults.length > 0) throw new Error(`the control plane failed: ${site.faults[0]}`);
    return {
      said: state === "promoted" ? "promote" : state === "rolled_back" ? "rollback" : "undecided",
      hours: Math.round((10 * ((endedAt ?? world.now()) - createdAt)) / hourMs) / 10,
      pairs,
      reached: reached / cell.devices,
    };
  } finally {
    await fleet.close();
  }
}

/** By device: of its inputs, how many more the candidate answers wrongly than the incumbent. */
function harmOf({ effect, uneven }: Cell, kinds: readonly number[]): number[] {
  const shares = uneven ? [0, 0, 0.5, 1.5, 3] : [1, 1, 1, 1, 1];
  const average = kinds.reduce((sum, kind) => sum + (shares[kind] ?? 1), 0) / kinds.length;
  return kinds.map((kind) => (effect * agentMargin * (shares[kind] ?? 1)) / average);
}
