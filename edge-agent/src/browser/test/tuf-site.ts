/** A site's TUF repository for tests, made with @tufjs/models, whose every file can be remade, mutated and re-signed. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { canonicalize } from "@tufjs/canonical-json";
import { Metadata, MetadataKind, Signature } from "@tufjs/models";

export const now = Date.parse("2026-11-23T12:00:00Z");
const day = 86_400_000;
export const model = "rain-gauge";
export const digest = "ab".repeat(32);
export const manifestLength = 1234;
export const target = `${model}/${digest}.json`;

export type Json = Record<string, unknown>;
export interface SigningKey {
  readonly id: string;
  readonly publicHex: string;
  readonly privateKey: KeyObject;
}
export type Keys = Record<string, SigningKey[]>;

export function makeKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const publicHex = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
  return { id: createHash("sha256").update(Buffer.from(publicHex, "hex")).digest("hex"), publicHex, privateKey };
}

export function keyJson(key: SigningKey): Json {
  return { keytype: "ed25519", scheme: "ed25519", keyval: { public: key.publicHex } };
}

/** Signs any JSON, also what @tufjs/models would refuse to hold. */
export function signRaw(signed: Json, keys: readonly SigningKey[]): string {
  const bytes = Buffer.from(canonicalize(signed));
  const signatures = keys.map((key) => ({ keyid: key.id, sig: sign(null, bytes, key.privateKey).toString("hex") }));
  return JSON.stringify({ signed, signatures });
}

function signModel(
  kind: MetadataKind.Root | MetadataKind.Timestamp | MetadataKind.Snapshot | MetadataKind.Targets,
  signed: Json,
  keys: readonly SigningKey[],
): string {
  // fromJSON is overloaded by kind, and says the same for each.
  const metadata = Metadata.fromJSON(kind as MetadataKind.Targets, { signed, signatures: [] } as never);
  for (const key of keys) {
    metadata.sign((bytes) => new Signature({ keyID: key.id, sig: sign(null, bytes, key.privateKey).toString("hex") }));
  }
  return JSON.stringify(metadata.toJSON());
}

export interface SiteOptions {
  /** Keys that must sign root. */
  readonly rootThreshold?: number;
  /** Whether snapshot and timestamp carry lengths and hashes. */
  readonly hashes?: boolean;
}

const role = (keys: readonly SigningKey[], threshold = 1) => ({ keyids: keys.map((key) => key.id), threshold });

export class TufSite {
  readonly keys: Keys = {
    root: [makeKey(), makeKey()],
    timestamp: [makeKey()],
    snapshot: [makeKey()],
    targets: [makeKey()],
    "project-rain-gauge": [makeKey()],
  };
  readonly versions: Record<string, number> = {
    root: 0,
    timestamp: 0,
    snapshot: 0,
    targets: 0,
    "project-rain-gauge": 0,
  };
  /** Current files by name. Old ones stay, as in a repository with consistent snapshots. */
  readonly files = new Map<string, string>();
  release = 7;
  readonly #options: SiteOptions;
  readonly #roles = new Map<string, string>();

  constructor(options: SiteOptions = {}) {
    this.#options = options;
    this.publishRoot();
    this.publishTargets();
    this.publishProject();
    this.publishSnapshot();
  }

  get firstRoot(): string {
    return this.files.get("1.root.json") as string;
  }

  common(name: string, kind: string, days: number): Json {
    this.versions[name] = (this.versions[name] ?? 0) + 1;
    return {
      _type: kind,
      spec_version: "1.0.31",
      version: this.versions[name],
      expires: new Date(now + days * day).toISOString(),
    };
  }

  publishRoot(alsoSignedBy: readonly SigningKey[] = []): void {
    const { root = [], timestamp = [], snapshot = [], targets = [] } = this.keys;
    const signed = {
      ...this.common("root", "root", 365),
      consistent_snapshot: true,
      keys: Object.fromEntries([...root, ...timestamp, ...snapshot, ...targets].map((key) => [key.id, keyJson(key)])),
      roles: {
        root: role(root, this.#options.rootThreshold ?? 2),
        timestamp: role(timestamp),
        snapshot: role(snapshot),
        targets: role(targets),
      },
    };
    const signers = new Map([...root, ...alsoSignedBy].map((key) => [key.id, key]));
    this.files.set(`${this.versions.root}.root.json`, signModel(MetadataKind.Root, signed, [...signers.values()]));
  }

  publishTargets(): void {
    const project = this.keys["project-rain-gauge"] ?? [];
    const signed = {
      ...this.common("targets", "targets", 90),
      targets: {},
      delegations: {
        keys: Object.fromEntries(project.map((key) => [key.id, keyJson(key)])),
        roles: [{ name: "project-rain-gauge", ...role(project), terminating: true, paths: [`${model}/*`] }],
      },
      "x-vedette": { director: { keys: { ["cd".repeat(32)]: "ef".repeat(32) }, threshold: 1 }, floors: { [model]: 3 } },
    };
    this.#put("targets", signModel(MetadataKind.Targets, signed, this.keys.targets ?? []));
  }

  publishProject(): void {
    const signed = {
      ...this.common("project-rain-gauge", "targets", 90),
      targets: {
        [target]: { length: manifestLength, hashes: { sha256: digest }, custom: { model, release: this.release } },
      },
    };
    this.#put("project-rain-gauge", signModel(MetadataKind.Targets, signed, this.keys["project-rain-gauge"] ?? []));
  }

  publishSnapshot(): void {
    const meta = Object.fromEntries(
      ["targets", "project-rain-gauge"].map((name) => [
        `${name}.json`,
        this.#meta(name, this.#roles.get(name) as string),
      ]),
    );
    const text = signModel(
      MetadataKind.Snapshot,
      { ...this.common("snapshot", "snapshot", 7), meta },
      this.keys.snapshot ?? [],
    );
    this.files.set(`${this.versions.snapshot}.snapshot.json`, text);
    this.publishTimestamp(text);
  }

  publishTimestamp(snapshot = this.files.get(`${this.versions.snapshot}.snapshot.json`) as string): void {
    const signed = {
      ...this.common("timestamp", "timestamp", 1),
      meta: { "snapshot.json": this.#meta("snapshot", snapshot) },
    };
    this.files.set("timestamp.json", signModel(MetadataKind.Timestamp, signed, this.keys.timestamp ?? []));
  }

  #put(name: string, text: string): void {
    this.#roles.set(name, text);
    this.files.set(`${this.versions[name]}.${name}.json`, text);
  }

  #meta(name: string, text: string): Json {
    const version = this.versions[name];
    if (this.#options.hashes === false) return { version };
    const sha256 = createHash("sha256").update(text).digest("hex");
    return { version, length: Buffer.byteLength(text), hashes: { sha256 } };
  }
}

/** Changes the signed part of a file; signs it anew with the keys given, or leaves the old signatures. */
export function mutate(text: string, change: (signed: Json) => void, keys?: readonly SigningKey[]): string {
  const metadata = JSON.parse(text) as { signed: Json; signatures: unknown };
  change(metadata.signed);
  return keys ? signRaw(metadata.signed, keys) : JSON.stringify(metadata);
}
