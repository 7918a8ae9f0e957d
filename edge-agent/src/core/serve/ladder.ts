/** When a row falls back, and to what: the last answer for the same entity, then rules, then `none`. */
import type { InputField, Manifest } from "@vedette/protocol/bundle";
import type { FallbackReason } from "@vedette/protocol/ids";
import { categoryCodes } from "@vedette/protocol/input-rows";
import type { Rule } from "@vedette/protocol/rules";
import type { Rows } from "@vedette/protocol/tensors";
import type { ModelAnswer } from "./decode-outputs.ts";

export interface LadderAnswer extends ModelAnswer {
  readonly source: "cache" | "rule" | "none";
}
const nothing: LadderAnswer = {
  source: "none",
  label: null,
  value: null,
  confidence: null,
  scores: null,
  outputs: null,
};

/** The last model answer of each entity; the one asked for longest ago goes first. */
export interface AnswerCache {
  put(entity: string, answer: ModelAnswer, now: number): void;
  get(entity: string, now: number, maxAgeMs: number): ModelAnswer | undefined;
  /** Forgets the answers of these entities. Answers of how many. */
  forget(isErased: (entity: string) => Promise<boolean>): Promise<number>;
  clear(): void;
}

/** @param limit entities kept. Times are monotonic ms: a clock that jumps must not make an old answer young. */
export function createAnswerCache(limit: number): AnswerCache {
  const entries = new Map<string, { answer: ModelAnswer; at: number }>();
  return {
    put(entity, answer, now) {
      entries.delete(entity);
      entries.set(entity, { answer, at: now });
      if (entries.size > limit) for (const oldest of entries.keys()) return void entries.delete(oldest);
    },
    get(entity, now, maxAgeMs) {
      const entry = entries.get(entity);
      if (!entry || now - entry.at > maxAgeMs) return undefined;
      entries.delete(entity);
      entries.set(entity, entry);
      return entry.answer;
    },
    async forget(isErased) {
      let forgotten = 0;
      for (const entity of [...entries.keys()]) {
        if (!(await isErased(entity))) continue;
        entries.delete(entity);
        forgotten++;
      }
      return forgotten;
    },
    clear: () => entries.clear(),
  };
}

/** Whether an answer kept of one version reads the same under the other. */
export function sameOutput(a: Manifest | null, b: Manifest | null): boolean {
  const classes = (manifest: Manifest | null): string =>
    manifest?.output.task === "classification"
      ? JSON.stringify(manifest.output.classes)
      : manifest?.output.task === "tensor"
        ? JSON.stringify(manifest.output.tensors)
        : "";
  return classes(a) === classes(b);
}

/**
 * Why a row falls back; null where the model's answer stands.
 * @param untrusted drift is critical, and the policy says that the ladder answers then.
 */
export function reasonOf(
  manifest: Manifest | null,
  refused: boolean,
  given: ModelAnswer | null,
  otherwise: FallbackReason,
  untrusted: boolean,
): FallbackReason | null {
  if (refused && (given || otherwise === "exception" || otherwise === "latency_budget")) return "out_of_range";
  if (!given) return otherwise;
  // The model is asked all the same, so that it is seen when its inputs are again what it knows.
  if (untrusted) return "drift_critical";
  const floor = manifest?.fallback.confidenceFloor ?? null;
  return floor !== null && given.confidence !== null && given.confidence < floor ? "low_confidence" : null;
}

/**
 * What to answer for row `row` when the model cannot.
 * @param manifest whose ladder it is; null where no version was ever known: then there is no rung but `none`.
 */
export function fallBack(
  manifest: Manifest | null,
  cache: AnswerCache,
  request: { readonly rows: Rows; readonly entity?: string | undefined },
  row: number,
  now: number,
): LadderAnswer {
  if (!manifest) return nothing;
  const { cache: cached, rules } = manifest.fallback;
  if (cached && request.entity !== undefined) {
    const answer = cache.get(request.entity, now, cached.maxAgeMs);
    if (answer) return { ...answer, source: "cache" };
  }
  const fields = manifest.input.fields;
  const at = row * fields.length;
  const rule = rules?.find(({ when = [] }) =>
    when.every((comparison) => {
      const place = fields.findIndex(({ name }) => name === comparison.field);
      const field = fields[place];
      return field !== undefined && holds(comparison, request.rows[at + place] ?? Number.NaN, field);
    }),
  );
  return (rule && ruleAnswer(rule, manifest)) ?? nothing;
}

type Comparison = NonNullable<Rule["when"]>[number];

/** A missing value compares with nothing. */
function holds({ op, value: said = Number.NaN }: Comparison, actual: number, field: InputField): boolean {
  if (op === "missing") return Number.isNaN(actual);
  if (op === "present") return !Number.isNaN(actual);
  if (Number.isNaN(actual)) return false;
  if (field.kind === "category") {
    // Texts have no order; one that is not known equals none of those that rules may name.
    const same = categoryCodes(field)(String(said)) === actual && actual < field.categories.length;
    return op === "==" ? same : op === "!=" && !same;
  }
  const value = typeof said === "number" ? said : Number.NaN;
  if (Number.isNaN(value)) return false;
  if (op === "<") return actual < value;
  if (op === "<=") return actual <= value;
  if (op === ">") return actual > value;
  if (op === ">=") return actual >= value;
  return op === "==" ? actual === value : actual !== value;
}

/** Undefined where a rule's answer is not of the task's kind: it is no answer then. */
function ruleAnswer(rule: Rule, { output }: Manifest): LadderAnswer | undefined {
  const confidence = rule.confidence ?? null;
  const base = { source: "rule", confidence, scores: null, outputs: null } as const;
  if (output.task === "tensor") return undefined; // no rule can say what a tensor would hold
  if (output.task === "regression") {
    return typeof rule.answer === "number" ? { ...base, label: null, value: rule.answer } : undefined;
  }
  const label = String(rule.answer);
  return output.classes.includes(label) ? { ...base, label, value: null } : undefined;
}
