/**
 * The director: decides by the standing rules, and by what live rollouts lay over them, what a device runs, numbers the
 * decision, and signs it. It may only choose among bundles that the operators signed; fleet/ asks it at every hello and after
 * every change.
 */
import { isDeepStrictEqual } from "node:util";
import type { AssignedSlot, Assignment } from "@vedette/protocol/messages";
import { type SignedText, signedBytes } from "@vedette/protocol/signed";
import type { Database } from "../db/database.ts";
import type { DeviceRecord } from "../db/records.ts";
import type { Overlay } from "../db/rollout-records.ts";
import type { Clock } from "../ports.ts";
import { createSerial } from "../serial.ts";
import { type Candidate, type Decision, decideSlots, type Meant } from "./decide-slots.ts";
import type { SigningKey } from "./online-keys.ts";
import type { TrustRepository } from "./trust-repository.ts";

export interface Director {
  /** Every published version and whether it may be assigned. */
  candidates(): Promise<Candidate[]>;
  /** What every device should run now, without deciding anything. */
  preview(): Promise<(Decision & { readonly device: DeviceRecord })[]>;
  /** The same by the standing rules alone: what rollouts return to. */
  incumbents(): Promise<(Decision & { readonly device: DeviceRecord })[]>;
  /**
   * Decides for one device and keeps the decision. The revision stays while the slots do; a new one is
   * max(stored + 1, reported + 1, Unix seconds), so that neither side ever sees it go backwards.
   * @param reportedRev highest revision the device says it followed.
   */
  decide(agent: string, reportedRev: number): Promise<{ rev: number; slots: readonly AssignedSlot[] } | undefined>;
  /**
   * Decides for every device. Answers whose assignment changed. Idempotent.
   * @param anew number every assignment anew, so that each device asks and learns of new metadata.
   */
  decideAll(anew?: boolean): Promise<{ agent: string; rev: number }[]>;
  sign(assignment: Assignment): SignedText;
}

export function createDirector(ports: {
  db: Database;
  trust: TrustRepository;
  /** The key of the moment: it may be rotated. */
  key: () => SigningKey;
  clock: Clock;
}): Director {
  const { db, trust, key, clock } = ports;
  // A hello and a change of rules must not both number a decision from the same stored revision.
  const serial = createSerial();

  async function candidates(): Promise<Candidate[]> {
    return (await db.versions.list()).map(({ model, version, digest, length, requires }) => {
      return { model, version, digest, length, requires, assignable: trust.assignable(model, digest) };
    });
  }

  async function inFleet(): Promise<DeviceRecord[]> {
    return (await db.devices.list()).filter((device) => device.revokedAt === null);
  }

  /** Versions that a rule ever named: those of rollouts are so once they are promoted. */
  async function readMeant(): Promise<Meant> {
    const key = ({ model, version }: { model: string; version: number }) => `${model} ${version}`;
    const named = new Set((await db.assignments.everNamed()).map(key));
    return (candidate) => named.has(key(candidate));
  }

  async function decisions(overlays: readonly Overlay[]): Promise<(Decision & { readonly device: DeviceRecord })[]> {
    const rules = await db.assignments.inForce();
    const choices = await candidates();
    const meant = await readMeant();
    const byAgent = Map.groupBy(overlays, ({ agent }) => agent);
    return (await inFleet()).map((device) => ({
      device,
      ...decideSlots(device, rules, choices, byAgent.get(device.agent), meant),
    }));
  }

  const preview = async () => decisions(await db.rollouts.overlays());

  function numbered(device: DeviceRecord, slots: readonly AssignedSlot[], reportedRev: number, anew = false): number {
    const same = !anew && isDeepStrictEqual(device.slots, slots);
    if (same && device.rev > 0 && reportedRev <= device.rev) return device.rev;
    return Math.max(device.rev + 1, reportedRev + 1, Math.floor(clock.now() / 1000));
  }

  return {
    candidates,
    preview,
    incumbents: () => decisions([]),
    decide: (agent, reportedRev) =>
      serial(async () => {
        const device = await db.devices.find(agent);
        if (!device || device.revokedAt !== null) return undefined;
        const overlays = await db.rollouts.overlays(agent);
        const meant = await readMeant();
        const { slots } = decideSlots(device, await db.assignments.inForce(), await candidates(), overlays, meant);
        const rev = numbered(device, slots, reportedRev);
        if (rev !== device.rev) await db.devices.assigned([{ agent, rev, slots }]);
        return { rev, slots };
      }),
    decideAll: (anew = false) =>
      serial(async () => {
        const changes = (await preview()).flatMap(({ device, slots }) => {
          const rev = numbered(device, slots, device.report?.rev ?? 0, anew && device.rev > 0);
          return rev === device.rev || (device.rev === 0 && slots.length === 0)
            ? []
            : [{ agent: device.agent, rev, slots }];
        });
        if (changes.length > 0) await db.devices.assigned(changes);
        return changes;
      }),
    sign(assignment) {
      const payload = JSON.stringify(assignment);
      const { keyid, sign } = key();
      return { payload, signatures: [{ keyid, sig: sign(signedBytes("assignment", payload)) }] };
    },
  };
}
