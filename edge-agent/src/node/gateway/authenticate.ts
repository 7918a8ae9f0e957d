/**
 * Who asks: a key of this agent's, or a token of the issuer it trusts. exchange.ts asks once a request. What was found out
 * is remembered by the text that was shown, so that a known client costs a look-up and no hash.
 */

import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { VedetteError } from "@vedette/protocol/errors";
import { LRUCache } from "lru-cache";
import { type Allowance, type AllowanceLimits, createAllowance } from "./allowance.ts";
import { type ApiKey, findApiKey, hashOf } from "./api-keys.ts";
import type { TokenVerifier } from "./web-tokens.ts";

export interface Client {
  /** For the log: a key's id, a token's subject. Never what was shown. */
  readonly name: string;
  /** Null: every model. */
  readonly models: ReadonlySet<string> | null;
  readonly allowance: Allowance | null;
  /** UTC ms. */
  readonly expires: number;
}
export interface Authenticator {
  /** @throws VedetteError unauthenticated; also by rejecting. */
  identify(headers: IncomingHttpHeaders): Client | Promise<Client>;
  /** Whether nobody is asked who they are. */
  readonly open: boolean;
  /** The keys changed: those that were shown are looked at anew. */
  useKeys(keys: readonly ApiKey[]): void;
}

const remembered = 4096;
const nobody: Client = { name: "anonymous", models: null, allowance: null, expires: Number.POSITIVE_INFINITY };

export function createAuthenticator(options: {
  /** Anybody may ask, without a key. */
  open: boolean;
  /** One key for everything, from the environment. */
  apiKey?: string | undefined;
  keys?: readonly ApiKey[];
  tokens?: TokenVerifier | undefined;
  /** Of each client, where its key does not say otherwise. */
  limits: AllowanceLimits;
  clock: { now(): number; monotonic(): number };
}): Authenticator {
  const { open, apiKey, tokens, limits, clock } = options;
  const single = apiKey === undefined ? undefined : hashOf(apiKey);
  const known = new LRUCache<string, Client>({ max: remembered });
  /** One allowance a key or subject, whatever tokens it shows. */
  const allowances = new LRUCache<string, Allowance>({ max: remembered });
  let keys = byId(options.keys ?? []);

  const allowanceOf = (name: string, own: Partial<AllowanceLimits> = {}): Allowance | null => {
    const all = { ...limits, ...own };
    if (all.ratePerSecond === null && all.concurrent === null) return null;
    const allowance = allowances.get(name) ?? createAllowance(all, clock.monotonic);
    allowances.set(name, allowance);
    return allowance;
  };
  const clientOf = (
    name: string,
    models: readonly string[] | null,
    expires: number,
    own?: Partial<AllowanceLimits>,
  ) => ({
    name,
    models: models && new Set(models),
    allowance: allowanceOf(name, own),
    expires,
  });

  const byKey = (shown: string): Client | undefined => {
    if (single && timingSafeEqual(hashOf(shown), single)) return clientOf("api-key", null, Number.POSITIVE_INFINITY);
    const key = findApiKey(keys, shown, clock.now());
    if (!key) return undefined;
    return clientOf(key.id, key.models, key.expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(key.expiresAt), {
      ...(key.ratePerSecond !== null && { ratePerSecond: key.ratePerSecond, burst: null }),
      ...(key.concurrent !== null && { concurrent: key.concurrent }),
    });
  };

  const shared = open ? { ...nobody, allowance: allowanceOf("anonymous") } : nobody;
  return {
    open,
    identify(headers) {
      if (open) return shared;
      const shown = shownBy(headers);
      if (shown === undefined) throw refusal("an API key is needed");
      const found = known.get(shown);
      if (found && found.expires > clock.now()) return found;
      const client = byKey(shown);
      if (client) {
        known.set(shown, client);
        return client;
      }
      if (!tokens || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(shown)) throw refusal("this is not an API key");
      return tokens(shown, clock.now()).then(({ subject, models, expires }) => {
        const bearer = clientOf(`sub:${subject}`, models, expires);
        known.set(shown, bearer);
        return bearer;
      });
    },
    useKeys(given) {
      keys = byId(given);
      known.clear();
      allowances.clear();
    },
  };
}

function byId(keys: readonly ApiKey[]): ReadonlyMap<string, ApiKey> {
  return new Map(keys.map((key) => [key.id, key]));
}

function shownBy({ authorization, "x-api-key": key }: IncomingHttpHeaders): string | undefined {
  if (authorization !== undefined && /^bearer /i.test(authorization)) return authorization.slice(7).trim();
  return Array.isArray(key) ? key[0] : key;
}

function refusal(what: string): VedetteError {
  return new VedetteError("unauthenticated", `${what}: send Authorization: Bearer <key> or X-Api-Key`);
}
