/** `--log WHAT=RULE` as the log policy it means. */
import { VedetteError } from "@vedette/protocol/errors";
import { type LogPolicy, type LogRule, parseLogRule } from "@vedette/protocol/log-policy";

type LogRules = Omit<LogPolicy, "inputs" | "salt"> & { readonly inputs?: LogRule };
const parts = ["inputs", "entity", "request", "outputs"] as const;

/**
 * Adds one rule: `inputs`, `entity`, `request`, `outputs`, or the name of a field. A field that is called as one of these
 * is named `field:inputs`. @throws VedetteError invalid_argument.
 */
export function addLogRule(text: string, rules: LogRules = {}): LogRules {
  const at = text.lastIndexOf("=");
  if (at < 1) {
    throw new VedetteError(
      "invalid_argument",
      `"${text}" is no log rule: WHAT=RULE is, as entity=hashed or torque=sampled:0.1`,
    );
  }
  const what = text.slice(0, at);
  const rule = parseLogRule(text.slice(at + 1));
  const part = parts.find((name) => name === what);
  if (part) return { ...rules, [part]: rule };
  const field = what.startsWith("field:") ? what.slice("field:".length) : what;
  return { ...rules, fields: { ...rules.fields, [field]: rule } };
}
