/** Fallback rules as an operator wrote them, checked against what the model takes and answers. Pure. */
import type { InputField, OutputSchema } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { type Rule, rules } from "@vedette/protocol/rules";

/**
 * @param value parsed JSON of the rules file.
 * @throws VedetteError invalid_rules naming the rule (the first is 1) and what it may say.
 */
export function checkRules(value: unknown, fields: readonly InputField[], output: OutputSchema): Rule[] {
  const parsed = rules.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const [index, ...rest] = issue?.path ?? [];
    const where =
      typeof index === "number" ? `rule ${index + 1}${rest.length > 0 ? `, ${rest.join(".")}` : ""}` : undefined;
    const why =
      where === undefined ? 'the file holds no list of rules, as [{"answer": "dry"}]' : `${where}: ${issue?.message}`;
    throw new VedetteError("invalid_rules", why);
  }
  for (const [i, rule] of parsed.data.entries()) checkRule(rule, `rule ${i + 1}`, fields, output);
  return parsed.data;
}

function checkValue(field: InputField, op: string, value: number | string | undefined, where: string): void {
  if (field.kind !== "category") {
    if (typeof value === "number") return;
    throw new VedetteError("invalid_rules", `${where} compares "${field.name}" with a text, and it is a number`);
  }
  if (op !== "==" && op !== "!=") {
    throw new VedetteError(
      "invalid_rules",
      `${where}: "${field.name}" is a category, which is == or != another, not ${op}`,
    );
  }
  if (typeof value === "string" && field.categories.includes(value)) return;
  const known = field.categories
    .slice(0, 8)
    .map((text) => JSON.stringify(text))
    .join(", ");
  throw new VedetteError(
    "invalid_rules",
    `${where}: ${JSON.stringify(value)} is no category of "${field.name}", which has ${known}`,
  );
}

function checkRule(rule: Rule, where: string, fields: readonly InputField[], output: OutputSchema): void {
  for (const { field, op, value } of rule.when ?? []) {
    const known = fields.find(({ name }) => name === field);
    if (!known) {
      throw new VedetteError(
        "invalid_rules",
        `${where} asks for "${field}", and the model's fields are ${fields.map(({ name }) => name).join(", ")}`,
      );
    }
    const presence = op === "missing" || op === "present";
    if (!presence && value === undefined) {
      throw new VedetteError("invalid_rules", `${where} compares "${field}" with nothing: give ${op} a value`);
    }
    if (presence && value !== undefined) {
      throw new VedetteError("invalid_rules", `${where} gives "${op}" a value, which it does not take`);
    }
    if (!presence) checkValue(known, op, value, where);
  }
  if (output.task === "classification" && !output.classes.some((name) => name === rule.answer)) {
    const classes = output.classes.map((name) => `"${name}"`).join(", ");
    throw new VedetteError(
      "invalid_rules",
      `${where} answers ${JSON.stringify(rule.answer)}, and the classes are ${classes}`,
    );
  }
  if (output.task === "tensor") {
    throw new VedetteError(
      "invalid_rules",
      `${where}: no rule can answer for a model whose outputs are tensors: leave --rules out`,
    );
  }
  if (output.task === "regression" && typeof rule.answer !== "number") {
    throw new VedetteError(
      "invalid_rules",
      `${where} answers ${JSON.stringify(rule.answer)}; a regression answers a number`,
    );
  }
}
