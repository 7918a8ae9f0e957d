/** What every command shares: the options of the whole program, the client they lead to, and the two ways to answer. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Command } from "commander";
import { jsonLine, printable } from "../printable.ts";
import type { KeyRing } from "../publish/settle.ts";
import type { OperatorToken } from "./api-calls.ts";
import { type ApiClient, createApiClient } from "./api-client.ts";
import type { Io } from "./io.ts";

interface SharedOptions {
  readonly home?: string;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
  readonly passphraseFile?: string;
}
export interface Context {
  readonly io: Io;
  /** Folder of the operator's keys and token. */
  readonly home: string;
  readonly keys: string;
  readonly json: boolean;
  /** What seals and opens keys and backups; undefined where none is given. @throws VedetteError invalid_argument. */
  passphrase(): Promise<string | undefined>;
  /** The keys here, and what opens those that a passphrase keeps. */
  ring(): Promise<KeyRing>;
  /** @throws VedetteError unauthenticated where no token is to be found. */
  api(request?: typeof fetch): Promise<ApiClient>;
  /** The file that the token in use came from; undefined where VEDETTE_TOKEN says it. */
  readonly tokenFile: string | undefined;
  /** What another command needs to be told to act on the same home and control plane as the same person, ready for a shell. */
  readonly sameFlags: string;
  /** Prints the value with --json, else what it means to a person. */
  answer(value: unknown, text: string): void;
}

const defaultUrl = "http://127.0.0.1:7700";

/** The context of a command, from its options and the environment. */
export function contextOf(command: Command, io: Io): Context {
  const options = command.optsWithGlobals<SharedOptions>();
  const home = resolve(options.home ?? io.env.VEDETTE_HOME ?? ".vedette");
  const json = options.json ?? false;
  const passphrase = () => readPassphrase(options.passphraseFile, io.env);
  return {
    io,
    home,
    keys: join(home, "keys"),
    json,
    passphrase,
    async ring() {
      return { folder: join(home, "keys"), passphrase: await passphrase() };
    },
    async api(request) {
      const url = options.url ?? io.env.VEDETTE_URL ?? defaultUrl;
      if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
        throw new VedetteError("invalid_argument", `--url ${url} is no address: write it as ${defaultUrl}`);
      }
      return createApiClient(url, await readToken(options.tokenFile, io.env.VEDETTE_TOKEN, home), request);
    },
    tokenFile: options.tokenFile ?? (io.env.VEDETTE_TOKEN ? undefined : join(home, "operator.token")),
    sameFlags: sameFlags(options, io.env, home),
    answer(value, text) {
      io.stdout(json ? `${jsonLine(value)}\n` : printable(text));
    },
  };
}

/** What the environment says as a secret is not repeated. */
function sameFlags({ url, tokenFile, passphraseFile }: SharedOptions, env: Io["env"], home: string): string {
  const at = url ?? env.VEDETTE_URL;
  const flags = [
    ["--home", home],
    ...(at === undefined ? [] : [["--url", at]]),
    ...(tokenFile === undefined ? [] : [["--token-file", resolve(tokenFile)]]),
    ...(passphraseFile === undefined ? [] : [["--passphrase-file", resolve(passphraseFile)]]),
  ];
  return flags.flatMap(([name = "", value = ""]) => [name, forShell(value)]).join(" ");
}

function forShell(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

async function readPassphrase(file: string | undefined, env: Io["env"]): Promise<string | undefined> {
  if (file === undefined) return env.VEDETTE_PASSPHRASE || undefined;
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new VedetteError("invalid_argument", `--passphrase-file ${file} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  });
  const passphrase = text.replace(/\r?\n$/, "");
  if (passphrase !== "") return passphrase;
  throw new VedetteError("invalid_argument", `--passphrase-file ${file} is empty`);
}

async function readToken(file: string | undefined, variable: string | undefined, home: string): Promise<OperatorToken> {
  if (file === undefined && variable !== undefined && variable !== "")
    return checkToken(variable.trim(), "VEDETTE_TOKEN");
  const path = file ?? join(home, "operator.token");
  let text: string;
  try {
    text = (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new VedetteError(
      "unauthenticated",
      `no operator token: ${path} cannot be read (${messageOf(cause)}). It is in the control plane's home; name it with --token-file, set VEDETTE_TOKEN, or give --home`,
      { cause },
    );
  }
  return checkToken(text, file === undefined ? path : `--token-file ${path}`);
}

/** Refused here without being shown: `fetch` would quote the whole text in its error. */
function checkToken(text: string, from: string): OperatorToken {
  if (/^[\x21-\x7e]+$/.test(text)) return { text, from };
  throw new VedetteError(
    "unauthenticated",
    `${from} holds no operator token: it is one word, as in <home>/operator.token`,
  );
}
