/** A drift reference that counts rows and finds nothing: drift is the kernels' own affair, and their tests'. */
import type { DriftReference } from "../core/watch/drift-watch.ts";

type State = ReturnType<DriftReference["newState"]>;

export function emptyReference(): DriftReference {
  return {
    names: ["x"],
    hash: "0",
    newState: () => stateOf(0),
    restore: (saved) => stateOf(countIn(saved)),
    free() {},
  };
}

function stateOf(from: number): State {
  let n = from;
  return {
    observe(rows) {
      n += rows.length;
    },
    get n() {
      return n;
    },
    report: () => ({ n, missingRows: 0, features: [], joint: null, logE: 0, alarm: false, topFeature: "x" }),
    roll() {
      n = 0;
    },
    snapshot: () => bytesOf(n),
    merge(snapshot) {
      n += countIn(snapshot);
    },
    save: () => bytesOf(n),
    free() {},
  };
}

function bytesOf(n: number): Uint8Array {
  return new Uint8Array(Float64Array.of(n).buffer);
}

function countIn(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0, true);
}
