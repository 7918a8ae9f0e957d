/** The detectors of one version while a round goes on: read from the database, stepped on what came, written back. */
import { driftVerdicts } from "@vedette/protocol/drift";
import { judgeDrift } from "@vedette/protocol/judge-drift";
import type { DriftReport, FleetBank } from "@vedette/wasm-kernels";
import type { DriftBankFacts, DriftBankRecord } from "../../db/drift.ts";
import type { WatchedVersion } from "./watched-versions.ts";

export interface Detectors {
  /** Steps a subject's detector on snapshots of this round, one a device. @param cap rows that one of them counts for. */
  step(subject: string, snapshots: readonly Uint8Array[], rows: number, cap?: number): Promise<void>;
  of(subject: string): DriftBankFacts | undefined;
  /** Begins anew: what it said was told. */
  restart(subject: string): void;
  /** What windows say together: merged exactly, in any order. */
  report(snapshots: readonly Uint8Array[]): { readonly report: DriftReport; readonly snapshot: Uint8Array };
  /** Those that changed. */
  changed(): DriftBankRecord[];
  free(): void;
}

/** Average rounds to a false alarm: that of the policy is in observations, and a round of a device is a window at least. */
export function roundsToFalseAlarm({ policy }: Pick<WatchedVersion, "policy">): number {
  return Math.min(1e9, Math.max(1000, policy.arl / policy.windowRows));
}

/**
 * ln of a detector, by which it is held against the threshold. It has grown by one a round where nothing drifts, and the
 * threshold is of windows' rows: where time ended the windows, a round holds fewer, and counts for its part.
 */
export function evidenceOf({ logE, steps, rows }: DriftBankFacts, windowRows: number): number {
  return steps === 0 ? logE : logE + Math.log(Math.min(1, rows / (steps * windowRows)));
}

/**
 * @param stored all detectors of the version, without their bytes.
 * @param load the bytes of one: only what is stepped is read.
 * @param unreadable hears of bytes that are none of a detector's; it begins anew.
 */
export function openDetectors(
  watched: WatchedVersion,
  stored: readonly DriftBankFacts[],
  round: number,
  load: (subject: string) => Promise<Uint8Array | undefined>,
  unreadable: (subject: string, error: unknown) => void,
): Detectors {
  const { reference, policy, digest } = watched;
  const options = { threshold: roundsToFalseAlarm(watched), deadZone: policy.deadZone };
  const known = new Map(stored.map((facts) => [facts.subject, facts]));
  /** Those that are in memory, and so have changed. */
  const banks = new Map<string, FleetBank>();

  const beginning = (subject: string): DriftBankFacts => ({
    ...{ digest, subject, round, steps: 0, rows: 0, logE: 0, verdict: driftVerdicts[0], top: null },
    features: reference.names.map(() => 0),
  });
  const open = async (subject: string): Promise<FleetBank> => {
    const saved = known.has(subject) ? await load(subject) : undefined;
    if (saved) {
      try {
        return reference.restoreFleetBank(new Uint8Array(saved));
      } catch (error) {
        unreadable(subject, error);
      }
    }
    known.set(subject, beginning(subject));
    return reference.newFleetBank(options);
  };
  const report = (snapshots: readonly Uint8Array[]) => {
    const state = reference.newState({ alpha: policy.alpha, deadZone: policy.deadZone });
    try {
      for (const snapshot of snapshots) state.merge(snapshot);
      return { report: state.report(), snapshot: state.snapshot() };
    } finally {
      state.free();
    }
  };

  return {
    async step(subject, snapshots, rows, cap) {
      const bank = banks.get(subject) ?? (await open(subject));
      banks.set(subject, bank);
      bank.step(snapshots, cap === undefined ? {} : { capRows: cap });
      const { logE, features } = bank.report();
      const before = known.get(subject) ?? beginning(subject);
      known.set(subject, {
        ...before,
        ...judgeDrift({ ...report(snapshots).report, alarm: false }, policy),
        steps: before.steps + 1,
        rows: before.rows + rows,
        logE,
        features: features.map((feature) => feature.logE),
        round,
      });
    },
    of: (subject) => known.get(subject),
    restart(subject) {
      const facts = known.get(subject);
      if (!facts) return;
      banks.get(subject)?.free();
      banks.set(subject, reference.newFleetBank(options));
      const { verdict, top } = facts;
      known.set(subject, { ...beginning(subject), verdict, top });
    },
    report,
    changed: () =>
      [...banks].map(([subject, bank]) => ({
        ...(known.get(subject) ?? beginning(subject)),
        bank: Buffer.from(bank.save()),
      })),
    free() {
      for (const bank of banks.values()) bank.free();
    },
  };
}
