/** The operators' side in tests: offline keys, and TUF metadata signed as the CLI signs them. */

import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Key, Metadata, Root, Signature, TargetFile, Targets } from "@tufjs/models";
import { Delegations } from "@tufjs/models/dist/delegations.js";
import { DelegatedRole, Role } from "@tufjs/models/dist/role.js";
import { roleOf, targetPath, targetsExtensionField } from "@vedette/protocol/trust";

export interface OfflineKey {
  readonly publicKeyHex: string;
  readonly keyid: string;
  sign(message: Uint8Array): string;
}
export interface OnlinePublic {
  readonly snapshot: string;
  readonly timestamp: string;
  readonly director: string;
}
export interface ListedVersion {
  readonly digest: string;
  readonly length: number;
  readonly release: number;
}
interface Common {
  readonly version?: number;
  readonly expires?: string;
  /** Who signs, instead of the right keys. */
  readonly signers?: readonly OfflineKey[];
}

export const farAway = "2100-01-01T00:00:00Z";

export function makeKey(): OfflineKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  return {
    publicKeyHex: raw.toString("hex"),
    keyid: keyidOf(raw),
    sign: (message) => signHex(privateKey, message),
  };
}

/** Offline keys of one site and what they sign. */
export function createOperator(online: OnlinePublic) {
  const rootKeys = [makeKey(), makeKey()];
  const targetsKey = makeKey();
  const releaseKeys = new Map<string, OfflineKey>();
  const releaseKey = (model: string): OfflineKey => {
    const key = releaseKeys.get(model) ?? makeKey();
    releaseKeys.set(model, key);
    return key;
  };
  const common = (options: Common) => ({
    specVersion: "1.0.31",
    version: options.version ?? 1,
    expires: options.expires ?? farAway,
  });

  return {
    rootKeys,
    targetsKey,
    releaseKey,
    /** Two root keys, both needed. */
    root(options: Common & { targetsKey?: OfflineKey; online?: OnlinePublic; keys?: readonly OfflineKey[] } = {}) {
      const keys = options.keys ?? rootKeys;
      const named = options.online ?? online;
      const onlineKeys = [named.snapshot, named.timestamp].map(publicOnly);
      const targets = options.targetsKey ?? targetsKey;
      const role = (ids: string[], threshold = 1) => new Role({ keyIDs: ids, threshold });
      const root = new Root({
        ...common(options),
        consistentSnapshot: true,
        keys: keyMap([...keys, targets, ...onlineKeys]),
        roles: {
          root: role(
            keys.map((key) => key.keyid),
            keys.length,
          ),
          targets: role([targets.keyid]),
          snapshot: role([onlineKeys[0]?.keyid ?? ""]),
          timestamp: role([onlineKeys[1]?.keyid ?? ""]),
        },
      });
      return { role: "root", text: signedText(root, options.signers ?? keys) };
    },
    targets(
      options: Common & {
        models?: readonly string[];
        floors?: Record<string, number>;
        paths?: string;
        director?: string;
      } = {},
    ) {
      const models = options.models ?? [];
      const director = publicOnly(options.director ?? online.director);
      const targets = new Targets({
        ...common(options),
        delegations: new Delegations({
          keys: keyMap(models.map(releaseKey)),
          roles: Object.fromEntries(
            models.map((model) => [
              roleOf(model),
              new DelegatedRole({
                name: roleOf(model),
                keyIDs: [releaseKey(model).keyid],
                threshold: 1,
                terminating: true,
                paths: [options.paths ?? `${model}/*`],
              }),
            ]),
          ),
        }),
        unrecognizedFields: {
          [targetsExtensionField]: {
            director: { keys: { [director.keyid]: director.publicKeyHex }, threshold: 1 },
            floors: options.floors ?? {},
          },
        },
      });
      return { role: "targets", text: signedText(targets, options.signers ?? [targetsKey]) };
    },
    project(model: string, listed: readonly ListedVersion[], options: Common = {}) {
      const targets = new Targets(common(options));
      for (const { digest, length, release } of listed) {
        targets.addTarget(
          new TargetFile({
            path: targetPath(model, digest),
            length,
            hashes: { sha256: digest },
            unrecognizedFields: { custom: { model, release } },
          }),
        );
      }
      return { role: roleOf(model), text: signedText(targets, options.signers ?? [releaseKey(model)]) };
    },
  };
}
export type Operator = ReturnType<typeof createOperator>;

function signedText(signed: Root | Targets, signers: readonly OfflineKey[]): string {
  const metadata = new Metadata<Root | Targets>(signed);
  for (const key of signers) metadata.sign((bytes) => new Signature({ keyID: key.keyid, sig: key.sign(bytes) }));
  return JSON.stringify(metadata.toJSON());
}

function keyMap(keys: readonly Pick<OfflineKey, "keyid" | "publicKeyHex">[]): Record<string, Key> {
  return Object.fromEntries(
    keys.map(({ keyid, publicKeyHex }) => [
      keyid,
      new Key({ keyID: keyid, keyType: "ed25519", scheme: "ed25519", keyVal: { public: publicKeyHex } }),
    ]),
  );
}

function publicOnly(publicKeyHex: string): Pick<OfflineKey, "keyid" | "publicKeyHex"> {
  return { publicKeyHex, keyid: keyidOf(Buffer.from(publicKeyHex, "hex")) };
}

function keyidOf(raw: Uint8Array): string {
  return createHash("sha256").update(raw).digest("hex");
}

function signHex(key: KeyObject, message: Uint8Array): string {
  return sign(null, message, key).toString("hex");
}
