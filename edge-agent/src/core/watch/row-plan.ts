/** From a request's row and the model's answer to the row that the drift kernels count: where each value goes is worked out once. */
import type { Manifest } from "@vedette/protocol/bundle";
import { coarse, driftFeatures } from "@vedette/protocol/drift-features";
import type { Rows } from "@vedette/protocol/tensors";
import type { ModelAnswer } from "../serve/decode-outputs.ts";

export interface RowPlan {
  /** Values of a counted row: the features of the reference. */
  readonly width: number;
  /** Fields of a request's row. */
  readonly fields: number;
  /** Writes one row at `to`. @param from where the request's row begins. */
  write(into: Float32Array, to: number, rows: Rows, from: number, answer: ModelAnswer): void;
}

/** An answer's value of one feature; NaN where it has none. */
type Reader = (answer: ModelAnswer) => number;

/**
 * @param names the reference's features, in its order: one that the manifest does not lead to is missing in every row, and
 *   will be reported so.
 */
export function rowPlanOf(manifest: Manifest, names: readonly string[]): RowPlan {
  const features = new Map(driftFeatures(manifest).map((feature) => [feature.spec.name, feature]));
  /** Columns from the row, then categories among them, then columns from the answer. */
  const inputs: { readonly to: number; readonly place: number }[] = [];
  const categories: { readonly to: number; readonly place: number; readonly codes: Int32Array }[] = [];
  const answers: { readonly to: number; readonly read: Reader }[] = [];
  for (const [to, name] of names.entries()) {
    const { source, codes } = features.get(name) ?? { source: null, codes: null };
    if (source?.kind === "input") {
      if (codes) categories.push({ to, place: source.place, codes });
      else inputs.push({ to, place: source.place });
    } else answers.push({ to, read: source ? readerOf(source, codes) : () => Number.NaN });
  }
  const inputTo = Int32Array.from(inputs, ({ to }) => to);
  const inputPlace = Int32Array.from(inputs, ({ place }) => place);
  return {
    width: names.length,
    fields: manifest.input.fields.length,
    write(into, to, rows, from, answer) {
      for (let i = 0; i < inputTo.length; i++)
        into[to + (inputTo[i] as number)] = rows[from + (inputPlace[i] as number)] as number;
      for (let i = 0; i < categories.length; i++) {
        const { to: at, place, codes } = categories[i] as (typeof categories)[number];
        const value = rows[from + place] as number;
        into[to + at] = codes[value] ?? Number.NaN; // NaN is missing: it has no place, and stays so
      }
      for (let i = 0; i < answers.length; i++) {
        const { to: at, read } = answers[i] as (typeof answers)[number];
        into[to + at] = read(answer);
      }
    },
  };
}

function readerOf(
  source: Exclude<ReturnType<typeof driftFeatures>[number]["source"], { kind: "input" }>,
  codes: Int32Array | null,
): Reader {
  if (source.kind === "value") return ({ value }) => (value === null ? Number.NaN : coarse(value));
  if (source.kind === "confidence") return ({ confidence }) => (confidence === null ? Number.NaN : coarse(confidence));
  if (source.kind === "score") {
    const { place } = source;
    return ({ scores }) => (scores === null ? Number.NaN : coarse(scores[place] as number));
  }
  const byLabel = new Map([...source.places].map(([label, place]) => [label, codes?.[place] ?? Number.NaN]));
  const unseen = codes?.at(-1) ?? Number.NaN;
  return ({ label }) => (label === null ? Number.NaN : (byLabel.get(label) ?? unseen));
}
