/** The `vedette` command against a site in this process, as an operator with a folder of their own. */
import { readFile, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { runCaptured } from "./run-captured.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The answer of a command with --json. */
  json(): unknown;
}
export type Vedette = (...args: string[]) => Promise<Ran>;

/** @param home of the operator. @param over the token file, and the operator's clock (UTC ms). */
export function vedetteOf(
  site: { readonly url: string },
  home: string,
  over: { tokenFile?: string; now?: () => number; env?: Record<string, string> } = {},
): Vedette {
  return async (...args) => {
    const token = over.tokenFile === undefined ? [] : ["--token-file", over.tokenFile];
    const { code, out, err } = await runCaptured([...args, "--home", home, "--url", site.url, ...token], {
      env: over.env ?? {},
      now: over.now ?? Date.now,
    });
    return { code, out, err, json: () => JSON.parse(out) };
  };
}

/** The commands of a runbook, in its order: indented lines that begin with `npx vedette`. */
export async function commandsOf(runbook: URL): Promise<string[]> {
  const text = await readFile(runbook, "utf8");
  return [...text.matchAll(/^ {4}npx vedette (.+)$/gm)].map((match) => match[1] as string);
}

/** Runs one as a shell would: quotes, and `> file` within a folder. */
export async function shell(vedette: Vedette, folder: string, line: string): Promise<Ran> {
  const [, command = "", file] = /^(.*?)(?: > (\S+))?$/.exec(line) ?? [];
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
  const files = words.map((word) =>
    /\.(onnx|csv|txt|pub)$/.test(word) && !isAbsolute(word) ? join(folder, word) : word,
  );
  const ran = await vedette(...files);
  if (file !== undefined) await writeFile(join(folder, file), ran.out, { mode: 0o600 });
  return ran;
}
