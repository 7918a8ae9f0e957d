/** `vedette-agent key create|list|revoke`: keys of an agent's folder; one that runs follows within a second or two. */
import { access } from "node:fs/promises";
import { VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import { type Command, InvalidArgumentError } from "commander";
import { type ApiKey, createApiKey, readApiKeys, revokeApiKey } from "./api-keys.ts";

interface CreateFlags {
  home: string;
  name: string;
  model?: string[];
  rate?: number;
  concurrency?: number;
  days?: number;
  json?: boolean;
}
const homeHelp = "the agent's own folder";
const dayMs = 86_400_000;

export function addKeyCommand(program: Command, name: string, exitCodeHelp: string): void {
  const key = program.command("key").description("API keys of this agent's HTTP server");
  key
    .command("create")
    .description("make a key and print it, this once; only its hash is kept")
    .requiredOption("--home <folder>", homeHelp)
    .requiredOption("--name <text>", "who will use it", parseName)
    .option("--model <name>", "a model it is for; may be given more than once (default: all, and metrics)", addModel)
    .option("--rate <number>", "requests a second", parsePositive)
    .option("--concurrency <number>", "requests under way at once", parseWhole)
    .option("--days <number>", "it ends after so many days (default: never)", parsePositive)
    .option("--json", "answers and errors as JSON")
    .addHelpText("after", example(`${name} key create --home ./station-1 --name dashboard --model pump --rate 50`))
    .action(create);
  key
    .command("list")
    .description("the keys there are, without the keys themselves")
    .requiredOption("--home <folder>", homeHelp)
    .option("--json", "answers and errors as JSON")
    .addHelpText("after", example(`${name} key list --home ./station-1`))
    .action(list);
  key
    .command("revoke")
    .description("refuse a key from now on")
    .argument("<id>", "its id, or its name")
    .requiredOption("--home <folder>", homeHelp)
    .option("--json", "answers and errors as JSON")
    .addHelpText("after", example(`${name} key revoke dashboard --home ./station-1`))
    .action(revoke);

  function example(line: string): string {
    return `\nExample:\n  $ ${line}\n\n${exitCodeHelp}`;
  }
}

async function create(flags: CreateFlags): Promise<void> {
  await needHome(flags.home);
  const { key, kept } = await createApiKey(flags.home, {
    name: flags.name,
    models: flags.model ?? null,
    ratePerSecond: flags.rate ?? null,
    concurrent: flags.concurrency ?? null,
    expiresAt: flags.days === undefined ? null : new Date(Date.now() + flags.days * dayMs).toISOString(),
  });
  print(flags.json ? JSON.stringify({ key, ...told(kept) }) : key);
}

async function list({ home, json }: { home: string; json?: boolean }): Promise<void> {
  await needHome(home);
  const keys = await readApiKeys(home);
  if (json) return print(JSON.stringify({ keys: keys.map(told) }));
  if (keys.length === 0) print("no keys");
  for (const key of keys) print(`${key.id}  ${key.name}  ${key.models?.join(",") ?? "all models"}  ${stateOf(key)}`);
}

async function revoke(id: string, { home, json }: { home: string; json?: boolean }): Promise<void> {
  await needHome(home);
  const key = await revokeApiKey(home, id);
  print(json ? JSON.stringify(told(key)) : `${key.id} ${key.name} is revoked`);
}

function told({ hash: _, ...rest }: ApiKey): Omit<ApiKey, "hash"> {
  return rest;
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== null) return `revoked ${revokedAt}`;
  if (expiresAt === null) return "valid";
  return Date.parse(expiresAt) <= Date.now() ? `ended ${expiresAt}` : `valid until ${expiresAt}`;
}

/** A key in a folder that no agent has would open nothing. */
async function needHome(home: string): Promise<void> {
  try {
    await access(home);
  } catch (cause) {
    throw new VedetteError("not_found", `there is no agent's folder ${home}: start the agent once, or mend --home`, {
      cause,
    });
  }
}

function addModel(text: string, models: string[] = []): string[] {
  if (!modelName.safeParse(text).success) throw new InvalidArgumentError("a model name is 1-63 of a-z 0-9 -.");
  return [...models, text];
}

function parseName(text: string): string {
  if (text.length >= 1 && text.length <= 64) return text;
  throw new InvalidArgumentError("a name has 1 to 64 characters.");
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("a number above 0 is expected.");
}

function parseWhole(text: string): number {
  const value = parsePositive(text);
  if (Number.isInteger(value)) return value;
  throw new InvalidArgumentError("a whole number is expected.");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
