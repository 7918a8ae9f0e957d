/**
 * Watches the inputs of one version against the reference it was trained on. model-slot hands rows over after it has
 * answered; counting waits for the end of the tick, so that no answer waits for it. Status reports ask for `report`.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import type { Rows } from "@vedette/protocol/tensors";
import type { FeatureReport, DriftState as KernelState } from "@vedette/wasm-kernels";

/** The part of the drift kernels that an agent uses. */
type DriftState = Pick<KernelState, "observe" | "n" | "report" | "roll" | "free">;
export interface DriftReference {
  readonly names: readonly string[];
  newState(options: { alpha: number }): DriftState;
  free(): void;
}

export interface DriftWatch {
  /** Takes rows [n][fields of the manifest]; they are copied, and counted when the tick is over. */
  observe(rows: Rows): void;
  /** Of the last full window; before there is one, of the running one. In the reference's order. */
  report(): FeatureReport[];
  /** Full windows so far. */
  readonly windows: number;
  /** Gives the kernels' memory back: the reference's too. */
  free(): void;
}

/** Floats kept until the tick ends; more are counted at once. */
const bufferFloats = 16 * 1024;

/**
 * @param options.reference becomes the watch's: `free` frees it. Features that are no field of the manifest are missing
 *   in every row, and will be reported so.
 */
export function createDriftWatch(options: {
  reference: DriftReference;
  manifest: Manifest;
  schedule: (call: () => void) => void;
  /** Called after each full window: there is a new verdict to report. */
  finished?: () => void;
}): DriftWatch {
  const { reference, manifest, schedule, finished } = options;
  const { alpha, windowRows } = manifest.drift;
  const fields = manifest.input.fields.map(({ name }) => name);
  /** For each feature of the reference its place in a request's row. */
  const places = reference.names.map((name) => fields.indexOf(name));
  const width = places.length;
  const state = reference.newState({ alpha });
  const capacity = Math.max(1, Math.floor(bufferFloats / width));
  const buffer = new Float32Array(capacity * width);
  let held = 0;
  let scheduled = false;
  let freed = false;
  let windows = 0;
  let last: FeatureReport[] | undefined;

  function flush(): void {
    scheduled = false;
    if (freed) return;
    const before = windows;
    for (let at = 0; at < held; ) {
      const count = Math.min(held - at, windowRows - state.n);
      state.observe(buffer.subarray(at * width, (at + count) * width));
      at += count;
      if (state.n >= windowRows) {
        last = state.report().features;
        windows++;
        state.roll();
      }
    }
    held = 0;
    // Last, for who hears of it may ask for the report at once, which comes here again.
    if (windows > before) finished?.();
  }

  return {
    observe(rows) {
      if (freed) return;
      for (let row = 0; row < rows.length; row += fields.length) {
        if (held === capacity) flush();
        const to = held * width;
        for (let f = 0; f < width; f++) {
          const place = places[f] as number;
          buffer[to + f] = place < 0 ? Number.NaN : (rows[row + place] as number);
        }
        held++;
      }
      if (!scheduled && held > 0) {
        scheduled = true;
        schedule(flush);
      }
    },
    report() {
      flush();
      return last ?? (freed ? [] : state.report().features);
    },
    get windows() {
      return windows;
    },
    free() {
      if (freed) return;
      freed = true;
      state.free();
      reference.free();
    },
  };
}
