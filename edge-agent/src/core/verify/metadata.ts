/**
 * TUF metadata as the agent reads it (TUF specification 1.0, section 4, file formats): a text becomes the part that was
 * signed, its canonical bytes, and its signatures. Nothing here is trusted yet; `checks.ts` decides that.
 *
 * What the standard keys by name becomes a Map, so that no name ("constructor", "__proto__") finds what nobody signed.
 */
import { canonicalize } from "@tufjs/canonical-json";
import { utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";

const mapOf = <T extends z.ZodType>(value: T) =>
  z.record(z.string(), value).transform((record) => new Map<string, z.output<T>>(Object.entries(record)));

const version = z.int().min(1);
/** Section 4.3: 1.0.z; a client of 1 reads every 1.y. */
const common = {
  spec_version: z.string().regex(/^1(\.[0-9]+){1,2}$/, "only TUF 1.x is understood"),
  version,
  expires: z
    .string()
    .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/, "expires is an ISO 8601 moment in UTC")
    .transform((text) => Date.parse(text))
    .pipe(z.number()),
};
/** Section 4.2. Keys of other types may stand there; they verify nothing here. */
const key = z.object({ keytype: z.string(), scheme: z.string(), keyval: z.object({ public: z.string() }) });
const role = z.object({
  keyids: z.array(z.string()).refine((ids) => new Set(ids).size === ids.length, "a keyid stands twice"),
  threshold: z.int().min(1),
});
/** Of other algorithms than these two nothing is known here: they say nothing, and one that is known has to be there. */
const hashes = z
  .object({
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional(),
    sha512: z
      .string()
      .regex(/^[0-9a-f]{128}$/)
      .optional(),
  })
  .refine(({ sha256, sha512 }) => sha256 ?? sha512, "neither sha256 nor sha512");
const metaFile = z.object({ version, length: z.int().min(1).optional(), hashes: hashes.optional() });

const root = z.object({
  ...common,
  _type: z.literal("root"),
  consistent_snapshot: z.boolean(),
  keys: mapOf(key),
  roles: z.object({ root: role, timestamp: role, snapshot: role, targets: role }),
});
const timestamp = z.object({
  ...common,
  _type: z.literal("timestamp"),
  meta: z.object({ "snapshot.json": metaFile }),
});
const snapshot = z.object({ ...common, _type: z.literal("snapshot"), meta: mapOf(metaFile) });

const topLevel: readonly string[] = ["root", "timestamp", "snapshot", "targets"];
const delegatedRole = role
  .extend({
    name: z
      .string()
      .min(1)
      .refine((name) => name.isWellFormed() && !topLevel.includes(name), "no name for a delegated role"),
    terminating: z.boolean(),
    paths: z.array(z.string()).optional(),
    path_hash_prefixes: z.array(z.string().regex(/^[0-9a-f]{1,64}$/)).optional(),
  })
  .refine((it) => (it.paths === undefined) !== (it.path_hash_prefixes === undefined), {
    message: "a delegation has either paths or path_hash_prefixes",
  });
const target = z.object({ length: z.int().min(0), hashes, custom: z.unknown().optional() });
const targets = z.object({
  ...common,
  _type: z.literal("targets"),
  targets: mapOf(target),
  delegations: z
    .object({
      keys: mapOf(key),
      roles: z
        .array(delegatedRole)
        .refine((roles) => new Set(roles.map((it) => it.name)).size === roles.length, "a role stands twice"),
    })
    .optional(),
  /** Vedette's own field; read by the trust client. */
  "x-vedette": z.unknown().optional(),
});

const schemas = { root, timestamp, snapshot, targets };
export type Kind = keyof typeof schemas;
export type Key = z.output<typeof key>;
export type Role = z.output<typeof role>;
export type DelegatedRole = z.output<typeof delegatedRole>;
export type MetaFile = z.output<typeof metaFile>;
export type Target = z.output<typeof target>;
export type Targets = z.output<typeof targets>;

export interface Metadata<K extends Kind> {
  /** File name, for messages. */
  readonly file: string;
  readonly text: string;
  readonly signed: z.output<(typeof schemas)[K]>;
  /** What the signatures cover: canonical JSON (OLPC) of `signed` as it stood in the text. */
  readonly canonical: Uint8Array<ArrayBuffer>;
  /** Hex by keyid. */
  readonly signatures: ReadonlyMap<string, string>;
}

const envelope = z.object({
  signed: z.record(z.string(), z.unknown()),
  signatures: z.array(z.object({ keyid: z.string(), sig: z.string() })).max(64),
});

/** @throws VedetteError invalid_metadata: which file, and what in it does not fit the standard. */
export function parseMetadata<K extends Kind>(kind: K, file: string, text: string): Metadata<K> {
  let signedText: z.output<typeof envelope>;
  let canonical: Uint8Array<ArrayBuffer>;
  try {
    const json: unknown = JSON.parse(text);
    signedText = envelope.parse(json);
    // The canonical form is made from what JSON.parse gave, before any schema could leave a field out.
    canonical = utf8(canonicalize((json as { signed: object }).signed));
  } catch (cause) {
    throw new VedetteError("invalid_metadata", `${file} is no signed TUF metadata: publish it again`, { cause });
  }
  const parsed = schemas[kind].safeParse(signedText.signed);
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => `${issue.path.join(".") || "(root)"}: ${issue.message}`);
    throw new VedetteError("invalid_metadata", `${file} is no TUF ${kind}: ${where.slice(0, 3).join("; ")}`);
  }
  const signatures = new Map<string, string>();
  // Section 4.2.1: a keyid stands only once among the signatures.
  for (const { keyid, sig } of signedText.signatures) {
    if (signatures.has(keyid)) throw new VedetteError("invalid_metadata", `${file} has two signatures of key ${keyid}`);
    signatures.set(keyid, sig);
  }
  return { file, text, signed: parsed.data as z.output<(typeof schemas)[K]>, canonical, signatures };
}
