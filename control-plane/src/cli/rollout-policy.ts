/** A rollout's policy from a file and flags. */
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { rolloutPolicy } from "@vedette/protocol/rollout";
import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { type SelectorFlags, selectorOf } from "./selector-flags.ts";

type Policy = z.infer<typeof rolloutPolicy>;
type Stages = { kind: "shadow" | "canary"; share: number }[];

export interface PolicyFlags extends SelectorFlags {
  policy?: string;
  stages?: Stages;
  served?: number;
  inFlight?: number;
  /** ms. */
  timeout?: number;
  maxFailures?: number;
  startAt?: string;
}

/** `shadow:0.2,canary:1`. */
export function stagesFrom(text: string): Stages {
  return text.split(",").map((part) => {
    const [, kind, number] = /^ *(shadow|canary):([0-9.]+) *$/.exec(part) ?? [];
    const share = Number(number);
    if ((kind === "shadow" || kind === "canary") && share > 0 && share <= 1) return { kind, share };
    throw new InvalidArgumentError("Write stages as shadow:0.2,canary:0.05,canary:1, each share above 0 and up to 1.");
  });
}

/**
 * @param now UTC ms.
 * @throws VedetteError not_found, invalid_argument where a file is not to be read or holds no policy, or a flag names what is over.
 */
export async function policyOf(flags: PolicyFlags, now: number): Promise<Policy> {
  const { served, inFlight, timeout, maxFailures, startAt, stages } = flags;
  // Of a file that is used again its moment may be over; who writes one by hand means one that is to come.
  if (startAt !== undefined && Date.parse(startAt) < now) {
    throw new VedetteError(
      "invalid_argument",
      `--start-at ${startAt} is over, and it would begin at once: name a moment to come, or leave it out`,
    );
  }
  const file = flags.policy === undefined ? {} : await readPolicy(flags.policy);
  const named = flags.all !== undefined || flags.device !== undefined || flags.label !== undefined;
  const given = {
    ...file,
    ...(named && { selector: selectorOf(flags) }),
    ...(stages && { stages }),
    ...(served !== undefined && { served }),
    ...(inFlight !== undefined && { inFlight }),
    ...(timeout !== undefined && { timeoutMinutes: timeout / 60_000 }),
    ...(maxFailures !== undefined && { failures: { share: maxFailures, atLeast: 1 } }),
    ...(startAt !== undefined && { startAt: new Date(startAt).toISOString() }),
  };
  return parsePolicy(given, flags.policy ?? "the flags");
}

/** @throws VedetteError not_found, invalid_argument. */
export async function policyFile(path: string): Promise<Policy> {
  return parsePolicy(await readPolicy(path), path);
}

async function readPolicy(path: string): Promise<object> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new VedetteError("not_found", `--policy ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  let json: unknown;
  try {
    // Some editors begin a file with a mark of its encoding.
    json = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new VedetteError("invalid_argument", `--policy ${path} is no JSON: ${messageOf(cause)}`, { cause });
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(json);
  if (parsed.success) return parsed.data;
  throw new VedetteError(
    "invalid_argument",
    `--policy ${path} is no policy: a JSON object, as in docs/guides/rollouts.md`,
  );
}

function parsePolicy(given: object, where: string): Policy {
  const parsed = rolloutPolicy.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new VedetteError("invalid_argument", `${where}: ${issue?.path.join(".") || "(whole)"}: ${issue?.message}`);
}
