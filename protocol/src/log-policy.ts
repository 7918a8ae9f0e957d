/**
 * What of a prediction may leave the device: the log part of a signed manifest, and how a reader knows of each value
 * whether it was withheld. The agent applies it when a batch is cut; a value withheld is never in the batch.
 */
import { z } from "zod";
import { concatBytes, fromHex, toHex, utf8 } from "./bytes.ts";
import { VedetteError } from "./errors.ts";

export const logRule = z.discriminatedUnion("mode", [
  z.object({ mode: z.literal("full") }),
  /** Kept for this share of predictions, chosen by their ids. */
  z.object({ mode: z.literal("sampled"), rate: z.number().gt(0).lt(1) }),
  /** `hashedValue` under the policy's salt: equal values can be told equal. */
  z.object({ mode: z.literal("hashed") }),
  z.object({ mode: z.literal("none") }),
]);
export type LogRule = z.infer<typeof logRule>;

/** What goes first when a device's spool is full: the oldest batches, or such that an even sample in time is left. */
export const whenFull = z.enum(["oldest", "sample"]);
export type WhenFull = z.infer<typeof whenFull>;

export const logPolicy = z.object({
  /** Of every field that `fields` does not name. `full` and `none` as bare words are what the first manifests say. */
  inputs: z.union([z.enum(["full", "none"]), logRule]),
  fields: z.record(z.string(), logRule).optional(),
  entity: logRule.optional(),
  request: logRule.optional(),
  /** Label, scores, value and confidence. */
  outputs: logRule.optional(),
  /** Of `hashed` values: one for each version of a model unless the publisher says otherwise. 16 bytes, hex. */
  salt: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  /** Whether batches carry the Merkle root of their predictions' receipts. */
  receipts: z.boolean().optional(),
  whenFull: whenFull.optional(),
});
export type LogPolicy = z.infer<typeof logPolicy>;

/** Says what is wrong with a policy for these fields; undefined where nothing is. */
export function wrongPolicy(policy: LogPolicy, fields: readonly string[]): string | undefined {
  const unknown = Object.keys(policy.fields ?? {}).find((name) => !fields.includes(name));
  if (unknown !== undefined)
    return `the log policy names ${unknown}, which is no field: ${fields.slice(0, 20).join(", ")}`;
  const rules = [
    ruleOfInputs(policy),
    ...Object.values(policy.fields ?? {}),
    policy.entity,
    policy.request,
    policy.outputs,
  ];
  if (!policy.salt && rules.some((rule) => rule?.mode === "hashed"))
    return "the log policy hashes values and has no salt";
  return undefined;
}

/** Whether only a reader that knows rules can keep to the policy: an older one would log more than it allows. */
export function needsRules({ inputs, fields, entity, request, outputs }: LogPolicy): boolean {
  const strict = (rule: LogRule | undefined) => rule !== undefined && rule.mode !== "full";
  return (
    (typeof inputs !== "string" && strict(inputs)) ||
    Object.values(fields ?? {}).length > 0 ||
    strict(entity) ||
    strict(request) ||
    strict(outputs)
  );
}

/** The rule of one input field. */
export function ruleOfField(policy: LogPolicy, field: string): LogRule {
  const fields = policy.fields ?? {};
  return Object.hasOwn(fields, field) ? (fields[field] as LogRule) : ruleOfInputs(policy);
}

function ruleOfInputs({ inputs }: LogPolicy): LogRule {
  return typeof inputs === "string" ? { mode: inputs } : inputs;
}

/**
 * A number in [0, 1) that only the id decides: a prediction is kept by a rule `sampled` where it is below the rate, so
 * what a low rate keeps a higher one keeps too. FNV-1a, then the finalizer of MurmurHash3.
 */
export function sampleUnit(predictionId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < predictionId.length; i++) hash = Math.imul(hash ^ predictionId.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** How batches say what a rule did, by column: of the withheld ones only those that were anything but `full`. */
export const withheldColumns = z.record(z.string().max(280), logRule).default({});
export type WithheldColumns = z.infer<typeof withheldColumns>;

/** Whether a column's value of one prediction was withheld, so that NaN or null does not mean missing. */
export function isWithheld(withheld: WithheldColumns, column: string, predictionId: string): boolean {
  const rule = Object.hasOwn(withheld, column) ? withheld[column] : undefined;
  if (!rule || rule.mode === "full") return false;
  return rule.mode !== "sampled" || sampleUnit(predictionId) >= rule.rate;
}

/** One rule as a person writes it: `full`, `none`, `hashed`, or `sampled:0.1`. @throws VedetteError invalid_argument. */
export function parseLogRule(text: string): LogRule {
  const [mode, rate, ...rest] = text.split(":");
  const parsed = logRule.safeParse(rate === undefined ? { mode } : { mode, rate: Number(rate) });
  const fits = parsed.success && rest.length === 0 && (rate !== undefined) === (parsed.data.mode === "sampled");
  if (fits) return parsed.data;
  throw new VedetteError(
    "invalid_argument",
    `"${text}" is no log rule: full, none, hashed, or sampled:RATE with a rate between 0 and 1, as sampled:0.1`,
  );
}

/**
 * What stands for a `hashed` value: 32 hex digits, the first half of sha256(0x04 | salt | value), a number as f64
 * little-endian and a text as UTF-8. Few possible values can be tried one by one by whoever knows the salt.
 */
export function hashedValue(
  hash: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
  salt: string,
  value: number | string,
): string {
  const bytes = typeof value === "string" ? utf8(value) : new Uint8Array(Float64Array.of(value).buffer);
  return toHex(hash(concatBytes([Uint8Array.of(4), fromHex(salt), bytes])).subarray(0, 16));
}
