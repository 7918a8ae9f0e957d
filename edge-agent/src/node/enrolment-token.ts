/** Where an enrolment token may come from. As an argument everybody on the machine can read it in the process list. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { messageOf, VedetteError } from "@vedette/protocol/errors";

export interface TokenSources {
  /** `--enroll`: the token itself, or `-` for standard input. */
  readonly argument: string | undefined;
  /** `--enroll-file`. */
  readonly file: string | undefined;
  /** VEDETTE_ENROLL_TOKEN; the options come first. */
  readonly variable: string | undefined;
}

/**
 * The way to the token that was named; undefined where none was. It is read when it is asked for: a device that has joined
 * needs none, and its file may be gone.
 * @throws VedetteError invalid_argument where two are named.
 */
export function enrolmentToken(
  { argument, file, variable }: TokenSources,
  stdin: NodeJS.ReadableStream,
): (() => Promise<string>) | undefined {
  if (argument !== undefined && file !== undefined) {
    throw new VedetteError("invalid_argument", "--enroll and --enroll-file both name a token: give one of them");
  }
  if (file !== undefined) return async () => word(await readToken(file), `--enroll-file ${file}`);
  if (argument === "-") return async () => word(await text(stdin), "standard input (--enroll -)");
  const given = argument ?? (variable || undefined);
  return given === undefined ? undefined : async () => given.trim();
}

async function readToken(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new VedetteError("invalid_argument", `--enroll-file ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function word(content: string, from: string): string {
  const token = content.trim();
  if (token !== "") return token;
  throw new VedetteError("invalid_argument", `${from} is empty: put there what \`vedette device enroll\` prints`);
}
