/**
 * A generated fleet around the real engine: devices that follow what the director would assign them, answer at their pace, go
 * away, come back, and join late. `run-engine.ts` tells it what the engine decided and lets time pass.
 */
import type { MemberKind, Rollout } from "../../../control-plane/src/db/rollout-records.ts";
import type { DeviceFacts } from "../../../control-plane/src/release/rollouts/world.ts";
import type { Draw } from "../verdicts/normal.ts";
import type { Cell } from "./cells.ts";
import { kindsOf, truthOf } from "./generate.ts";

export const candidate = "c".repeat(64);
const incumbent = "a".repeat(64);
/** A device that is there or away stays so for this long; then it is drawn anew. */
const spellHours = 6;
/** Of the devices, how many join while the rollout is under way, and until when. */
const late = { share: 0.05, untilHours: 48 };

type Facts = { -readonly [K in keyof DeviceFacts]: DeviceFacts[K] };
interface Device {
  readonly facts: Facts;
  readonly kind: number;
  readonly joinsAt: number;
  /** When it is drawn anew whether it is there. Hours, as all times here. */
  spellEnds: number;
  /** Predictions answered, or asked beside, since it holds what it holds. */
  served: number;
}

export interface GeneratedFleet {
  /** Those who have joined. The same objects each time. */
  readonly facts: readonly DeviceFacts[];
  /** What the director makes of a step of the engine. */
  follow(rollout: Rollout): void;
  /** Hours from now until the next device is through what it must serve; infinity where none is on its way. */
  untilCounted(served: number): number;
  /**
   * Lets time pass. @param apart whose predictions are told apart. @returns by kind: predictions to be expected that both versions
   * were asked, of the others and of those.
   */
  live(
    hours: number,
    apart: (agent: string) => boolean,
  ): readonly [others: readonly number[], those: readonly number[]];
  /** How many have ever answered by the candidate. */
  readonly reached: number;
}

export function createGeneratedFleet(cell: Cell, draw: Draw): GeneratedFleet {
  const kinds = truthOf(cell).length;
  const joining = cell.devices >= 20 ? late.share : 0;
  const away = () => cell.offline > 0 && draw.uniform() < cell.offline;
  const devices = kindsOf(cell.devices, draw).map((kind, i): Device => {
    const facts: Facts = {
      ...{ agent: `d${i}`, labels: {}, online: !away(), incumbent, lacks: null, shadows: true, overBudget: false },
      ...{ takenBy: null, holds: null, rev: 1, reportedRev: 1, progress: { kind: "nothing" } },
    };
    const joinsAt = draw.uniform() < joining ? draw.uniform() * late.untilHours : 0;
    return { facts, kind, joinsAt, spellEnds: spellHours * draw.uniform(), served: 0 };
  });
  let now = 0;
  let there = devices.filter(({ joinsAt }) => joinsAt <= now);
  let facts = there.map((device) => device.facts);
  const reached = new Set<string>();

  function assign(device: Device, holds: MemberKind | null): void {
    device.facts.holds = holds;
    device.facts.rev++;
    device.served = 0;
  }

  return {
    get facts() {
      return facts;
    },
    get reached() {
      return reached.size;
    },
    follow({ members }) {
      for (const device of there) {
        const given = members.get(device.facts.agent)?.given ?? null;
        if (given !== device.facts.holds) assign(device, given);
      }
    },
    untilCounted(served) {
      let least = Number.POSITIVE_INFINITY;
      for (const device of there) {
        if (device.facts.holds === null || !device.facts.online || device.served >= served) continue;
        least = Math.min(least, (served - device.served) / cell.traffic);
      }
      return least;
    },
    live(hours, apart) {
      const none = Array.from({ length: kinds }, () => 0);
      const [others, those] = [none, [...none]];
      for (const device of there) {
        const { facts: mine, kind } = device;
        if (!mine.online) continue;
        mine.reportedRev = mine.rev;
        if (mine.holds === null) {
          mine.progress = { kind: "nothing" };
          continue;
        }
        if (mine.holds === "canary") reached.add(mine.agent);
        device.served += cell.traffic * hours;
        const asked = apart(mine.agent) ? those : others;
        asked[kind] = (asked[kind] ?? 0) + cell.traffic * hours;
        // A hair under a whole number is that number.
        const count = Math.floor(device.served + 1e-6);
        mine.progress =
          mine.holds === "canary" ? { kind: "answering", served: count } : { kind: "asked", pairs: count };
      }
      now += hours;
      for (const device of cell.offline > 0 ? there : []) {
        for (; device.spellEnds <= now; device.spellEnds += spellHours) device.facts.online = !away();
      }
      if (there.length < devices.length) {
        there = devices.filter(({ joinsAt }) => joinsAt <= now);
        facts = there.map((device) => device.facts);
      }
      return [others, those];
    },
  };
}
