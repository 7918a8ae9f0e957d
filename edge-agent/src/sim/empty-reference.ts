/** A drift reference that counts rows and finds nothing: drift is the kernels' own affair, and their tests'. */
export function emptyReference() {
  let n = 0;
  const state = {
    observe(rows: Float32Array) {
      n += rows.length;
    },
    get n() {
      return n;
    },
    merge() {},
    snapshot: () => new Uint8Array(),
    report: () => ({ n, missingRows: 0, features: [], joint: null, logE: 0, alarm: false, topFeature: "x" }),
    roll() {
      n = 0;
    },
    free() {},
  };
  return { names: ["x"], rows: 100, hash: "0", newState: () => state, restore: () => state, free() {} };
}
