/** Values of options: text in, value out, or a message that shows how it is written. */
import { labelName } from "@vedette/protocol/ids";
import { InvalidArgumentError } from "commander";
import type { z } from "zod";

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A hundred years: what is added to this moment is a moment still. */
const longestMs = 36_525 * units.d;

/** `90s`, `15m`, `1h`, `7d` as whole ms, at least one. */
export function duration(text: string): number {
  const ms = durationOf(text);
  if (ms !== null) return ms;
  throw new InvalidArgumentError("Write a duration as 90s, 15m, 1h or 7d, of a hundred years at most.");
}

/** The same, null where it is none: for options that have more to say of theirs. */
export function durationOf(text: string): number | null {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * units[unit as keyof typeof units]);
  return ms > 0 && ms <= longestMs ? ms : null;
}

/** A name as the contract has it: of a model, a device, an operator. */
export function fitting(name: z.ZodType<string>): (text: string) => string {
  return (text) => {
    const parsed = name.safeParse(text);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(`${parsed.error.issues[0]?.message}.`);
  };
}

/** `a,b,c`; blanks around names are dropped. */
export function list(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name !== "")) return names;
  throw new InvalidArgumentError("Write names separated by commas, none of them empty.");
}

/** `key=value`, collected from every time the option is given. */
export function label(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, key, value] = new RegExp(`^(${labelName})=(.{0,128})$`).exec(text) ?? [];
  if (key !== undefined && value !== undefined) return { ...before, [key]: value };
  throw new InvalidArgumentError("Write a label as key=value; a key is 1-63 of A-Z a-z 0-9 _ . -");
}

export function integer(text: string): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("Write a whole number.");
}

/** A whole number within bounds, both included. */
export function integerFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = integer(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
  };
}

export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("Write a number from 0 to 1.");
}

export function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Write a number above 0.");
}

/** Number of a published version. */
export const version = integerFrom(1, 999_999_999);

/** A day or a moment, as ISO date-time in UTC. */
export function moment(text: string): string {
  const [, day = ""] = /^(\d{4}-\d{2}-\d{2})(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.exec(text) ?? [];
  const ms = Date.parse(day === "" ? "" : text);
  // Of February the 30th JavaScript makes the 2nd of March.
  const exists = !Number.isNaN(ms) && new Date(`${day}T00:00Z`).toISOString().startsWith(day);
  if (exists && /^\d{4}-/.test(new Date(ms).toISOString())) return new Date(ms).toISOString();
  throw new InvalidArgumentError("Write a day as 2027-01-31, or a moment as 2027-01-31T12:00:00Z.");
}
