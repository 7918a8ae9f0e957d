/**
 * The gateway's settings, read once: flags before environment before file. run-agent.ts makes the server's options of
 * them. docs/guides/gateway.md tells each to users.
 */
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import { z } from "zod";

const share = z.number().min(0).max(1);
const origin = z.string().regex(/^https?:\/\/[^/*\s]+$/, "an origin is scheme://host[:port], without a path");

const aPort = "a port is 0 to 65535";

const gatewayConfig = z.strictObject({
  host: z.string().min(1).default("127.0.0.1"),
  port: z.int(aPort).min(0, aPort).max(65_535, aPort).default(8790),
  /** A Unix socket instead of host and port. */
  socket: z.string().min(1).nullable().default(null),
  tls: z
    .strictObject({ certFile: z.string().min(1), keyFile: z.string().min(1) })
    .nullable()
    .default(null),
  /** A file with one key for everything. */
  apiKeyFile: z.string().min(1).nullable().default(null),
  jwt: z
    .strictObject({ keysFile: z.string().min(1), issuer: z.string().min(1), audience: z.string().min(1) })
    .nullable()
    .default(null),
  allowAnonymous: z.boolean().default(false),
  corsOrigins: z.array(origin).max(100).default([]),
  openMetrics: z.boolean().default(false),
  limits: z
    .strictObject({
      bodyBytes: z
        .int()
        .min(1024)
        .max(256 * 1024 * 1024)
        .default(8 * 1024 * 1024),
      rows: z.int().min(1).max(4096).default(4096),
      values: z
        .int()
        .min(1)
        .max(64 * 1024 * 1024)
        .default(8 * 1024 * 1024),
      inFlight: z.int().min(1).max(100_000).default(256),
      waitMs: z.number().positive().default(5_000),
    })
    .prefault({}),
  /** Of each key or token subject, where its key does not say otherwise. */
  client: z
    .strictObject({
      ratePerSecond: z.number().positive().nullable().default(null),
      burst: z.int().min(1).nullable().default(null),
      concurrent: z.int().min(1).nullable().default(null),
    })
    .prefault({}),
  /** Response cache, by model. */
  cache: z
    .record(
      modelName,
      z.strictObject({
        ttlSeconds: z.number().positive(),
        maxBytes: z
          .int()
          .min(1024)
          .default(16 * 1024 * 1024),
      }),
    )
    .default({}),
  logShare: share.default(0),
});
export type GatewayConfig = z.infer<typeof gatewayConfig>;
/** What is where nothing is said: loopback, and no key. */
export const defaultGateway: GatewayConfig = gatewayConfig.parse({});

/** Where a setting comes from besides the file: its flag, its variable (`VEDETTE_` and the flag's name), its place in the file. */
interface Setting {
  readonly flag: string;
  readonly variable: string;
  readonly path: readonly string[];
  readonly read: (text: string) => unknown;
  readonly help: string;
}
const text = (value: string): unknown => value;
const number = (value: string): unknown => (value.trim() === "" ? value : Number(value));
const list = (value: string): unknown => value.split(",").map((part) => part.trim());
const truth = (value: string): unknown =>
  value === "true" || value === "1" ? true : value === "false" ? false : value;

/** All settings that have a flag. `vedette-agent run --help` lists them. */
export const settings: readonly Setting[] = [
  of("--port <number>", "port", number, "port of the Open Inference Protocol; 0: any free one (8790)"),
  of("--serve-host <address>", "host", text, "where to listen; beyond loopback keys are needed"),
  of("--socket <path>", "socket", text, "listen on this Unix socket instead of a port"),
  of("--tls-cert <file>", "tls.certFile", text, "certificate chain, PEM; read anew when it changes"),
  of("--tls-key <file>", "tls.keyFile", text, "its private key, PEM"),
  of("--api-key-file <file>", "apiKeyFile", text, "holds one key for everything (or VEDETTE_API_KEY)"),
  of("--jwt-keys <file>", "jwt.keysFile", text, "JWK set or public key (PEM) of the token issuer"),
  of("--jwt-issuer <text>", "jwt.issuer", text, "iss that tokens must have"),
  of("--jwt-audience <text>", "jwt.audience", text, "aud that tokens must have"),
  of("--allow-anonymous", "allowAnonymous", truth, "let anybody who reaches the port ask"),
  of("--cors-origin <origins>", "corsOrigins", list, "pages that may ask, with commas between"),
  of("--open-metrics", "openMetrics", truth, "tell /metrics without a key"),
  of("--rate <number>", "client.ratePerSecond", number, "requests a second of each key"),
  of("--burst <number>", "client.burst", number, "requests of a key that may come at once"),
  of("--concurrency <number>", "client.concurrent", number, "requests of a key under way at once"),
  of("--max-body <bytes>", "limits.bodyBytes", number, "largest request (8388608)"),
  of("--max-rows <number>", "limits.rows", number, "rows of one request (4096)"),
  of("--max-in-flight <number>", "limits.inFlight", number, "requests at one model at once (256)"),
  of("--max-wait <ms>", "limits.waitMs", number, "expected wait over which requests are shed (5000)"),
  of("--log-requests <share>", "logShare", number, "share of requests with a log line, 0 to 1"),
];

function of(flag: string, path: string, read: Setting["read"], help: string): Setting {
  const variable = `VEDETTE_${nameOf(flag).replaceAll("-", "_").toUpperCase()}`;
  return { flag, variable, path: path.split("."), read, help };
}

/** As `serve-host` of `--serve-host <address>`. */
function nameOf(flag: string): string {
  return flag.replace(/^--/, "").split(" ")[0] as string;
}

/** The name that commander gives a flag's value. */
function flagName(flag: string): string {
  return nameOf(flag).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * @param flags values by `flagName`, as text (true for one without a value).
 * @throws VedetteError invalid_argument naming the setting and where it was set.
 */
export async function loadGatewayConfig(sources: {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** JSON. */
  readonly file: string | undefined;
}): Promise<GatewayConfig> {
  const { flags, env, file } = sources;
  const merged = file === undefined ? {} : await readSettings(file);
  const said = new Map<string, string>();
  for (const { flag, variable, path, read } of settings) {
    const given = flags[flagName(flag)];
    const value = given ?? (env[variable] || undefined);
    if (value === undefined) continue;
    said.set(path.join("."), given === undefined ? variable : `--${nameOf(flag)}`);
    put(merged, path, typeof value === "string" ? read(value) : value);
  }
  const parsed = gatewayConfig.safeParse(merged);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path.join(".") ?? "";
  const where = said.get(path) ?? (file === undefined ? "the settings" : file);
  throw new VedetteError(
    "invalid_argument",
    `${where}: ${path || "(whole)"}: ${issue?.message}: see docs/guides/gateway.md`,
  );
}

async function readSettings(file: string): Promise<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new VedetteError("invalid_argument", `the gateway's settings ${file} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
  if (isRecord(json)) return json;
  throw new VedetteError("invalid_argument", `the gateway's settings ${file} are no JSON object`);
}

function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = "", ...rest] = path;
  if (rest.length === 0) into[first] = value;
  else {
    const inner = isRecord(into[first]) ? into[first] : {};
    into[first] = inner;
    put(inner, rest, value);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
