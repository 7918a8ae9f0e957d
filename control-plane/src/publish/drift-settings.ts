/** `--drift SETTING=VALUE` as the part of the drift policy that it means. */
import { driftPolicy } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { DriftChoice } from "./read-sources.ts";

const settings = {
  "window-seconds": "windowSeconds",
  arl: "arl",
  "dead-zone": "deadZone",
  notice: "notice",
  drift: "drift",
  critical: "critical",
  "on-critical": "onCritical",
} as const satisfies Record<string, keyof DriftChoice>;

/** Adds one setting. @throws VedetteError invalid_argument: which there are, or what is wrong with the value. */
export function addDriftSetting(text: string, before: DriftChoice = {}): DriftChoice {
  const [, name = "", value = ""] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  const key = Object.hasOwn(settings, name) ? settings[name as keyof typeof settings] : undefined;
  if (key === undefined) {
    const known = Object.keys(settings).join(", ");
    throw new VedetteError("invalid_argument", `--drift ${text}: write SETTING=VALUE, with one of ${known}`);
  }
  const number = value.trim() === "" ? Number.NaN : Number(value);
  const parsed = driftPolicy.shape[key].safeParse(key === "onCritical" ? value : number);
  if (parsed.success) return { ...before, [key]: parsed.data };
  throw new VedetteError("invalid_argument", `--drift ${text}: ${parsed.error.issues[0]?.message ?? "does not fit"}`);
}
