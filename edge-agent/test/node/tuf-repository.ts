/** A TUF repository in memory, signed with @tufjs/models: the peer of tuf-trust's tests. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Key, Metadata, MetaFile, Root, Signature, Snapshot, TargetFile, Targets, Timestamp } from "@tufjs/models";
import { Delegations } from "@tufjs/models/dist/delegations.js";
import { DelegatedRole, Role } from "@tufjs/models/dist/role.js";

export interface SigningKey {
  readonly key: Key;
  readonly publicHex: string;
  readonly privateKey: KeyObject;
}

export function makeKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const publicHex = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
  const keyID = createHash("sha256").update(Buffer.from(publicHex, "hex")).digest("hex");
  const key = new Key({ keyID, keyType: "ed25519", scheme: "ed25519", keyVal: { public: publicHex } });
  return { key, publicHex, privateKey };
}

function signMetadata(metadata: Metadata<Root | Timestamp | Snapshot | Targets>, keys: SigningKey[]): string {
  for (const { key, privateKey } of keys) {
    const signer = (data: Buffer) =>
      new Signature({ keyID: key.keyID, sig: sign(null, data, privateKey).toString("hex") });
    metadata.sign(signer, true);
  }
  return JSON.stringify(metadata.toJSON());
}

const specVersion = "1.0.31";
const day = 86_400_000;

export interface RepositoryState {
  now: number;
  versions: { timestamp: number; snapshot: number; targets: number; project: number };
  /** ms from now. */
  expires: { timestamp: number; snapshot: number; targets: number; project: number };
  targets: { path: string; bytes: Buffer; custom: Record<string, string | number> }[];
}

/** Files of one release of the repository, by name. */
export class TestRepository {
  readonly rootKey = makeKey();
  readonly targetsKey = makeKey();
  /** Of others, where root and targets take two signatures. */
  readonly secondKeys: { readonly root: SigningKey; readonly targets: SigningKey } | undefined;
  readonly projectKey = makeKey();
  readonly director = makeKey();
  onlineKey = makeKey();
  rootVersion = 1;
  readonly files = new Map<string, string>();
  readonly asked: string[] = [];
  readonly state: RepositoryState;

  /** @param threshold signatures that root and targets take. */
  constructor(now: number, threshold: 1 | 2 = 1) {
    this.secondKeys = threshold === 2 ? { root: makeKey(), targets: makeKey() } : undefined;
    this.state = {
      now,
      versions: { timestamp: 1, snapshot: 1, targets: 1, project: 1 },
      expires: { timestamp: day, snapshot: 7 * day, targets: 90 * day, project: 90 * day },
      targets: [],
    };
    this.files.set("1.root.json", this.root(this.rootSigners));
    this.publish();
  }

  private get rootSigners(): SigningKey[] {
    return this.secondKeys ? [this.rootKey, this.secondKeys.root] : [this.rootKey];
  }
  private get targetsSigners(): SigningKey[] {
    return this.secondKeys ? [this.targetsKey, this.secondKeys.targets] : [this.targetsKey];
  }

  get firstRoot(): string {
    return this.files.get("1.root.json") ?? "";
  }

  readonly fetch = async (file: string): Promise<string | undefined> => {
    this.asked.push(file);
    return this.files.get(file);
  };

  root(signers: SigningKey[]): string {
    const role = (...keys: SigningKey[]) =>
      new Role({ keyIDs: keys.map(({ key }) => key.keyID), threshold: keys.length });
    const root = new Root({
      version: this.rootVersion,
      specVersion,
      expires: this.date(365 * day),
      consistentSnapshot: true,
      keys: Object.fromEntries(
        [...this.rootSigners, ...this.targetsSigners, this.onlineKey].map(({ key }) => [key.keyID, key]),
      ),
      roles: {
        root: role(...this.rootSigners),
        targets: role(...this.targetsSigners),
        snapshot: role(this.onlineKey),
        timestamp: role(this.onlineKey),
      },
    });
    return signMetadata(new Metadata(root), signers);
  }

  rotateOnlineKey(): void {
    this.onlineKey = makeKey();
    this.rootVersion += 1;
    this.files.set(`${this.rootVersion}.root.json`, this.root(this.rootSigners));
  }

  /** Signs everything anew as `state` says. */
  publish(signers: Partial<Record<"timestamp" | "snapshot" | "targets" | "project", SigningKey[]>> = {}): void {
    const { versions, expires } = this.state;
    const project = new Targets({
      version: versions.project,
      specVersion,
      expires: this.date(expires.project),
      targets: Object.fromEntries(
        this.state.targets.map(({ path, bytes, custom }) => {
          const hashes = { sha256: createHash("sha256").update(bytes).digest("hex") };
          return [path, new TargetFile({ path, length: bytes.length, hashes, unrecognizedFields: { custom } })];
        }),
      ),
    });
    const delegations = new Delegations({
      keys: { [this.projectKey.key.keyID]: this.projectKey.key },
      roles: {
        "project-rain": new DelegatedRole({
          name: "project-rain",
          keyIDs: [this.projectKey.key.keyID],
          threshold: 1,
          terminating: true,
          paths: ["rain/*"],
        }),
      },
    });
    const directorId = this.director.key.keyID;
    const targets = new Targets({
      version: versions.targets,
      specVersion,
      expires: this.date(expires.targets),
      delegations,
      unrecognizedFields: {
        "x-vedette": {
          director: { keys: { [directorId]: this.director.publicHex }, threshold: 1 },
          floors: { rain: 2 },
        },
      },
    });
    const snapshot = new Snapshot({
      version: versions.snapshot,
      specVersion,
      expires: this.date(expires.snapshot),
      meta: {
        "targets.json": new MetaFile({ version: versions.targets }),
        "project-rain.json": new MetaFile({ version: versions.project }),
      },
    });
    const timestamp = new Timestamp({
      version: versions.timestamp,
      specVersion,
      expires: this.date(expires.timestamp),
      snapshotMeta: new MetaFile({ version: versions.snapshot }),
    });
    const put = (name: string, metadata: Metadata<Timestamp | Snapshot | Targets>, keys: SigningKey[]) =>
      this.files.set(name, signMetadata(metadata, keys));
    put("timestamp.json", new Metadata(timestamp), signers.timestamp ?? [this.onlineKey]);
    put(`${versions.snapshot}.snapshot.json`, new Metadata(snapshot), signers.snapshot ?? [this.onlineKey]);
    put(`${versions.targets}.targets.json`, new Metadata(targets), signers.targets ?? this.targetsSigners);
    put(`${versions.project}.project-rain.json`, new Metadata(project), signers.project ?? [this.projectKey]);
  }

  /** One more version of every role, published. */
  next(): void {
    for (const role of ["timestamp", "snapshot", "targets", "project"] as const) this.state.versions[role] += 1;
    this.publish();
  }

  private date(ms: number): string {
    return new Date(this.state.now + ms).toISOString().replace(/\.[0-9]{3}Z$/, "Z");
  }
}
