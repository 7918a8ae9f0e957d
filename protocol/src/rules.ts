/** Fallback rules: what to answer when the model cannot be trusted. First match wins; a rule without `when` always matches. */
import { z } from "zod";

const comparison = z.strictObject({
  field: z.string(),
  op: z.enum(["<", "<=", ">", ">=", "==", "!=", "missing", "present"]),
  /** A number; the text of a category, which is only equal or not. */
  value: z.union([z.number(), z.string()], "is a number, or a category's text").optional(),
});
export const rule = z.strictObject({
  /** All comparisons must hold. */
  when: z.array(comparison).optional(),
  /** A class name for classification, a number for regression. */
  answer: z.union([z.string(), z.number()], "is a class's name, or a number for a regression"),
  confidence: z.number().min(0).max(1).optional(),
});
export type Rule = z.infer<typeof rule>;
export const rules = z.array(rule).max(256);
