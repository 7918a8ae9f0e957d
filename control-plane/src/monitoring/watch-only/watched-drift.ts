/**
 * Drift of what a server elsewhere is asked, computed here by the kernels that devices have. The only file of this room that
 * knows them; watches.ts hands rows over and keeps what it must to go on after a restart.
 */
import { categoryCodes } from "@vedette/protocol/input-rows";
import type { Watch, WatchedField } from "@vedette/protocol/watch-api";
import { type DriftReport, KernelError, type Kernels } from "@vedette/wasm-kernels";
import type { InputRow } from "./payloads.ts";

type Drift = NonNullable<Watch["drift"]>;

export interface WatchedDrift {
  /** Counts rows in the fields' order. Answers the report of the last window that they filled, if they filled one. */
  observe(rows: readonly InputRow[], now: number): Drift | undefined;
  /** The window under way, as `saved` takes it. */
  save(): Uint8Array;
  free(): void;
}

/**
 * @param saved the window under way when it was saved; left behind where it is of another reference or other kernels.
 * @throws KernelError where the reference is none of these kernels.
 */
export function watchDrift(
  kernels: Pick<Kernels, "openReference">,
  what: { reference: Uint8Array; fields: readonly WatchedField[]; windowRows: number; alpha: number },
  saved: Uint8Array | null,
): WatchedDrift {
  const { fields, windowRows, alpha } = what;
  const reference = kernels.openReference(what.reference);
  const state = restored();
  const places = reference.names.map((name) => fields.findIndex((field) => field.name === name));
  const codes = fields.map((field) => (field.kind === "category" ? categoryCodes(field) : Number));

  function restored() {
    if (saved === null) return reference.newState({ alpha });
    try {
      return reference.restore(saved);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      // Of another abi, as after an update: a window begins anew, and no more is lost than it had seen.
      return reference.newState({ alpha });
    }
  }
  const toRow = (row: InputRow): number[] =>
    places.map((place) => {
      const value = row[place] ?? null;
      return value === null ? Number.NaN : (codes[place]?.(String(value)) ?? Number.NaN);
    });

  return {
    observe(rows, now) {
      let full: Drift | undefined;
      for (let at = 0; at < rows.length; ) {
        const count = Math.min(rows.length - at, windowRows - state.n);
        state.observe(Float32Array.from(rows.slice(at, at + count).flatMap(toRow)));
        at += count;
        if (state.n < windowRows) continue;
        full = reportOf(state.report(), now);
        state.roll();
      }
      return full;
    },
    save: () => state.save(),
    free() {
      state.free();
      reference.free();
    },
  };
}

/** Where a window alone shows nothing, the evidence of all windows so far still may: then its alarm counts. */
function reportOf({ n, features, alarm }: DriftReport, now: number): Drift {
  const verdicts = features.map(({ verdict }) => verdict);
  return {
    at: new Date(now).toISOString(),
    rows: n,
    verdict: alarm || verdicts.includes("drift") ? "drift" : verdicts.includes("none") ? "none" : "insufficient",
    fields: features.map(({ name, missing, psi, ksLow, ksHigh, verdict }) => {
      return { name, missing, psi, ksLow, ksHigh, verdict };
    }),
  };
}
