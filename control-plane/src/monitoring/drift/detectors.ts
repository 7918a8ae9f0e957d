/** The detectors of one version while a round goes on: read from the database, stepped on what came, written back. */
import { type DriftVerdict, driftVerdicts } from "@vedette/protocol/drift";
import { judgeDrift } from "@vedette/protocol/judge-drift";
import type { DriftReport, FleetBank } from "@vedette/wasm-kernels";
import type { DriftBankRecord } from "../../db/drift.ts";
import type { Detector } from "./attribute.ts";
import type { WatchedVersion } from "./watched-versions.ts";

export interface Detectors {
  /** Steps a subject's detector on snapshots of this round, one a device. */
  step(subject: string, snapshots: readonly Uint8Array[], rows: number, cap?: number): void;
  of(subject: string): (Detector & { readonly features: readonly number[]; readonly verdict: DriftVerdict }) | undefined;
  /** Begins anew: what it said was told. */
  restart(subject: string): void;
  /** What windows say together: merged exactly, in any order. */
  report(snapshots: readonly Uint8Array[]): { readonly report: DriftReport; readonly snapshot: Uint8Array };
  /** Those that changed. */
  changed(): DriftBankRecord[];
  free(): void;
}

interface Held {
  bank: FleetBank;
  record: Omit<DriftBankRecord, "bank">;
  changed: boolean;
}

/** Average rounds to a false alarm: that of the policy is in observations, and a round of a device is a window at least. */
export function roundsToFalseAlarm({ policy }: Pick<WatchedVersion, "policy">): number {
  return Math.min(1e9, Math.max(1000, policy.arl / policy.windowRows));
}

export function openDetectors(
  watched: WatchedVersion,
  stored: readonly DriftBankRecord[],
  round: number,
  unreadable: (subject: string, error: unknown) => void,
): Detectors {
  const { reference, policy, digest } = watched;
  const options = { threshold: roundsToFalseAlarm(watched), deadZone: policy.deadZone };
  const held = new Map<string, Held>();

  const anew = (subject: string): Held => ({
    bank: reference.newFleetBank(options),
    record: {
      digest,
      subject,
      steps: 0,
      rows: 0,
      logE: 0,
      features: reference.names.map(() => 0),
      round,
      verdict: driftVerdicts[0],
      top: null,
    },
    changed: true,
  });
  for (const { bank, ...record } of stored) {
    try {
      held.set(record.subject, {
        bank: reference.restoreFleetBank(new Uint8Array(bank)),
        record,
        changed: false,
      });
    } catch (error) {
      unreadable(record.subject, error);
      held.set(record.subject, anew(record.subject));
    }
  }

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
    step(subject, snapshots, rows, cap) {
      const one = held.get(subject) ?? anew(subject);
      held.set(subject, one);
      one.bank.step(snapshots, cap === undefined ? {} : { capRows: cap });
      const { logE, features, alarm } = one.bank.report();
      const judged = judgeDrift({ ...report(snapshots).report, alarm: false }, policy);
      one.changed = true;
      one.record = {
        ...one.record,
        steps: one.record.steps + 1,
        rows: one.record.rows + rows,
        logE,
        features: features.map((feature) => feature.logE),
        round,
        verdict: alarm ? "drift" : judged.verdict,
        top: judged.top,
      };
    },
    of: (subject) => held.get(subject)?.record,
    restart(subject) {
      const one = held.get(subject);
      if (!one) return;
      one.bank.free();
      const { verdict, top } = one.record;
      const fresh = anew(subject);
      held.set(subject, { ...fresh, record: { ...fresh.record, verdict, top } });
    },
    report,
    changed: () =>
      [...held.values()]
        .filter((one) => one.changed)
        .map(({ bank, record }) => ({ ...record, bank: Buffer.from(bank.save()) })),
    free() {
      for (const { bank } of held.values()) bank.free();
    },
  };
}
