/** Which columns of two files are compared, and as what. Talks to the first file; says of each column left out why. */
import { maxKnownCategories } from "@vedette/protocol/drift-features";
import { VedetteError } from "@vedette/protocol/errors";
import type { CsvFacts, CsvFeature, CsvRows } from "./csv-rows.ts";

export interface ChosenFeature {
  readonly column: CsvFeature;
  readonly role: "input" | "label";
  /** Texts that have a bin each, the most frequent first; null for a number. */
  readonly known: readonly string[] | null;
}
export interface Choice {
  readonly features: readonly ChosenFeature[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

/** Texts of a column that are kept, to tell a rare one from one never seen; a column with more is no category. */
const mostTexts = 1024;
/** A label of numbers with no more values than this is a class. */
const mostClasses = 20;

/**
 * @param wanted.features only these, and then even if they do not look like a feature; else all columns that do.
 * @param wanted.label the column that says what came true: compared too, and told apart.
 * @throws VedetteError invalid_argument (a column that a file has not, nothing left), invalid_csv (other types in the second).
 */
export async function chooseFeatures(
  reference: CsvRows,
  current: CsvRows,
  wanted: { readonly features?: readonly string[] | undefined; readonly label?: string | undefined },
): Promise<Choice> {
  const { label } = wanted;
  for (const name of [...(wanted.features ?? []), ...(label === undefined ? [] : [label])]) {
    for (const { path, columns } of [reference, current]) {
      if (columns.some((column) => column.name === name)) continue;
      const names = columns.map((column) => column.name).join(", ");
      throw new VedetteError("invalid_argument", `${path} has no column ${name}; it has ${names}`);
    }
  }
  const only = wanted.features && new Set([...wanted.features, ...(label === undefined ? [] : [label])]);
  const there = new Map(current.columns.map((column) => [column.name, column]));
  const all = await reference.facts();
  const features: ChosenFeature[] = [];
  const leftOut: { name: string; why: string }[] = [];
  for (const { name, numeric } of reference.columns) {
    if (only && !only.has(name)) continue;
    const other = there.get(name);
    if (!other) {
      leftOut.push({ name, why: `${current.path} has it not` });
      continue;
    }
    if (numeric && !other.numeric) {
      throw new VedetteError(
        "invalid_csv",
        `column ${name} holds numbers in ${reference.path} and texts in ${current.path}: mend the file, or choose columns with --features`,
      );
    }
    const facts = all.get(name) as CsvFacts;
    const isLabel = name === label;
    if (!only?.has(name) && !isLabel) {
      const why = whyNot(numeric, facts);
      if (why !== undefined) {
        leftOut.push({ name, why });
        continue;
      }
    }
    const role = isLabel ? "label" : "input";
    if (numeric && !(isLabel && facts.distinct <= mostClasses)) {
      features.push({ column: { name, kind: "number" }, role, known: null });
    } else {
      features.push({ ...(await category(reference, name)), role });
    }
  }
  for (const { name } of current.columns) {
    const here = reference.columns.some((column) => column.name === name);
    if (!here) leftOut.push({ name, why: `${reference.path} has it not` });
  }
  if (features.length > 0) return { features, leftOut };
  const reasons = leftOut.map(({ name, why }) => `${name}: ${why}`).join("; ");
  throw new VedetteError("invalid_argument", `no column is left to compare (${reasons}): name some with --features`);
}

function whyNot(numeric: boolean, { values, distinct, moments, numbering }: CsvFacts): string | undefined {
  if (values === 0) return "it is empty";
  if (numbering) return "it numbers the rows";
  if (numeric) return undefined;
  if (moments) return "it holds dates or times";
  const many = distinct > mostTexts || (distinct > 50 && distinct > values / 2);
  return many ? `${distinct} different texts are no category` : undefined;
}

async function category(reference: CsvRows, name: string): Promise<Omit<ChosenFeature, "role">> {
  const texts = await reference.frequent(name, mostTexts);
  const known = texts.slice(0, maxKnownCategories);
  const codes = new Map(texts.map((text, place) => [text, Math.min(place, known.length)]));
  // Where not all texts are kept, one that is not among them was perhaps seen.
  const stranger = texts.length < mostTexts ? known.length + 1 : known.length;
  return { column: { name, kind: "category", code: (text) => codes.get(text) ?? stranger }, known };
}
