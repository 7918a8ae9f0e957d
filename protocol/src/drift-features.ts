/**
 * What is watched of a version, in the order of its drift reference: its inputs, then what it answered. Publishing builds
 * the reference by it, devices count by it. Pure.
 */
import { type Manifest, maxCategories } from "./bundle.ts";

/** As the kernels name them: a category's value is its code, 0 … known−1, `known` for the rare, `known`+1 for the unseen. */
export type DriftFeatureSpec =
  | { readonly name: string; readonly kind: "number" }
  | { readonly name: string; readonly kind: "category"; readonly known: number };

/** Where a feature's value comes from: a field of the row, or what the model answered to it. */
export type DriftSource =
  | { readonly kind: "input"; readonly place: number }
  /** Probability of a class. */
  | { readonly kind: "score"; readonly place: number }
  | { readonly kind: "confidence" }
  | { readonly kind: "value" }
  /** The predicted class, by its place. */
  | { readonly kind: "label"; readonly places: ReadonlyMap<string, number> };

export interface DriftFeature {
  readonly spec: DriftFeatureSpec;
  readonly source: DriftSource;
  /** For a category: the code of each place, and of the place after the last one (a text nobody knows). */
  readonly codes: Int32Array | null;
}

/** Most features of a reference: what is more, is not watched (the first inputs are, and the answers always). */
export const maxDriftFeatures = 256;
/** Most categories of a feature that have a bin each; the rest are `other`. */
export const maxKnownCategories = 64;
/** Most classes whose probabilities are watched one by one; of more, the confidence is. */
const mostScores = 16;

type Watched = Pick<Manifest, "input" | "output"> & { readonly drift: Pick<Manifest["drift"], "known"> };

/** The features of a version's drift reference, in its order. */
export function driftFeatures(manifest: Watched): DriftFeature[] {
  const { input, output, drift } = manifest;
  const known = drift.known ?? {};
  const taken = new Set(input.fields.map(({ name }) => name));
  const free = (name: string): string => (taken.has(name) ? free(`${name}'`) : name);
  const answers: DriftFeature[] = [];
  if (output.task === "regression") {
    answers.push({ spec: { name: free("out:value"), kind: "number" }, source: { kind: "value" }, codes: null });
  }
  if (output.task === "classification") {
    const { classes } = output;
    if (classes.length > mostScores) {
      const spec = { name: free("out:confidence"), kind: "number" } as const;
      answers.push({ spec, source: { kind: "confidence" }, codes: null });
    } else {
      // Of two classes one tells the other.
      for (let place = classes.length === 2 ? 1 : 0; place < classes.length; place++) {
        const name = free(`out:score:${shortened(classes[place] as string, place)}`);
        answers.push({ spec: { name, kind: "number" }, source: { kind: "score", place }, codes: null });
      }
    }
    const name = free("out:label");
    const places = new Map(classes.map((text, place) => [text, place]));
    answers.push(category(name, classes.length, true, known[name], { kind: "label", places }));
  }
  const inputs = input.fields.slice(0, maxDriftFeatures - answers.length).map((field, place): DriftFeature => {
    const name = shortened(field.name, place);
    const source = { kind: "input", place } as const;
    if (field.kind !== "category") return { spec: { name, kind: "number" }, source, codes: null };
    // Of a field that has so many, others were seen in training, too.
    return category(name, field.categories.length, field.categories.length < maxCategories, known[name], source);
  });
  return [...inputs, ...answers];
}

/**
 * @param count places there are. @param complete whether what has no place was never seen in training.
 * @param known the places that have a code of their own, where not all have.
 */
function category(
  name: string,
  count: number,
  complete: boolean,
  known: readonly number[] | undefined,
  source: DriftSource,
): DriftFeature {
  const kept = known ?? Array.from({ length: Math.min(count, maxKnownCategories) }, (_, place) => place);
  const codes = new Int32Array(count + 1).fill(kept.length);
  for (const [code, place] of kept.entries()) if (place < count) codes[place] = code;
  if (complete) codes[count] = kept.length + 1;
  return { spec: { name, kind: "category", known: kept.length }, source, codes };
}

/** A reference's names have at most 255 bytes. */
function shortened(name: string, place: number): string {
  return new TextEncoder().encode(name).length <= 200 ? name : `${name.slice(0, 40)}… (${place})`;
}

const one = new Float32Array(1);
const bits = new Uint32Array(one.buffer);

/**
 * A number that a model answered, to 12 binary digits: backends differ in the last ones, and a value that has mass of its
 * own (a tree's leaf) must be the same on every device. Inputs are counted as they came.
 */
export function coarse(value: number): number {
  one[0] = value;
  if (!Number.isFinite(value)) return value;
  bits[0] = ((bits[0] as number) + 0x800) & 0xffff_f000;
  return one[0];
}
