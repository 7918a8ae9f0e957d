/** `vedette signer init` and `set`: what a signer believes, told by people and not by the control plane. */
import { VedetteError } from "@vedette/protocol/errors";
import { makeKey, type PublicKey, readKey, writePublicKey } from "../publish/offline-keys.ts";
import type { KeyRing } from "../publish/settle.ts";
import { syncTrust } from "../publish/sync-trust.ts";
import type { TrustApi } from "../publish/trust-api.ts";
import type { SignerConfig, SignerHome } from "./signer-home.ts";

export interface SignerSetUp {
  readonly model: string;
  /** Of its key, as the metadata will tell it. */
  readonly name: string;
  readonly rootSha256: string;
  readonly gateKeys: readonly string[];
  /** Null: anybody may propose. */
  readonly proposers: readonly PublicKey[] | null;
  readonly acceptOverrides: boolean;
}
export interface SetUp {
  readonly config: SignerConfig;
  readonly key: PublicKey;
  /** Its public half, for those who hold the targets key. */
  readonly file: string;
}

/**
 * Makes the key, takes the site's metadata from the pinned root on, and notes what was told.
 * @throws VedetteError conflict where the folder is a signer's already; and as `syncTrust` does.
 */
export async function setUpSigner(
  { model, name, rootSha256, gateKeys, proposers, acceptOverrides }: SignerSetUp,
  home: SignerHome,
  api: Pick<TrustApi, "trust" | "metadata">,
  ring: KeyRing,
): Promise<SetUp> {
  if (await home.config().then(() => true, notThere)) {
    throw new VedetteError("conflict", `${home.folder} is a signer's already: change it with \`vedette signer set\``);
  }
  const { site } = await api.trust();
  await syncTrust(api, ring.folder, rootSha256);
  // Left by one that was cut short: the same key.
  const key = await makeKey(ring.folder, name, ring.passphrase).catch((error: unknown) => {
    if (error instanceof VedetteError && error.code === "conflict") return readKey(ring.folder, name, ring.passphrase);
    throw error;
  });
  const file = await writePublicKey(ring.folder, key);
  const config: SignerConfig = {
    format: "vedette.signer/1",
    ...{ site, model, key: name, rootSha256, gateKeys: [...gateKeys], acceptOverrides },
    proposers: proposers === null ? null : proposers.map(({ name: who, publicKey }) => ({ name: who, publicKey })),
  };
  await home.writeConfig(config);
  return { config, key, file };
}

export interface SignerChanges {
  readonly addGateKeys?: readonly string[] | undefined;
  readonly removeGateKeys?: readonly string[] | undefined;
  readonly addProposers?: readonly PublicKey[] | undefined;
  /** By name or public key. */
  readonly removeProposers?: readonly string[] | undefined;
  readonly acceptOverrides?: boolean | undefined;
}

/**
 * A signer that runs follows at its next look.
 * @throws VedetteError invalid_argument where nobody would be left to believe, or nobody is known whom it is to believe no more.
 */
export async function changeSigner(changes: SignerChanges, home: SignerHome): Promise<SignerConfig> {
  const before = await home.config();
  const { addGateKeys = [], removeGateKeys = [], addProposers = [], removeProposers = [] } = changes;
  const { gateKeys: theirs, proposers: who } = before;
  // A name that was misspelt would go on being believed.
  refuseUnknown("--remove-gate-key", removeGateKeys, theirs);
  refuseUnknown(
    "--remove-proposer",
    removeProposers,
    (who ?? []).flatMap(({ name, publicKey }) => [name, publicKey]),
  );
  const gateKeys = [...new Set([...theirs, ...addGateKeys])].filter((key) => !removeGateKeys.includes(key));
  if (gateKeys.length === 0)
    throw new VedetteError("invalid_argument", "no gate's key would be left: add the new one first");
  const known = (who ?? []).filter(
    ({ name, publicKey }) => !removeProposers.includes(name) && !removeProposers.includes(publicKey),
  );
  const added = addProposers.filter(({ publicKey }) => !known.some((one) => one.publicKey === publicKey));
  const proposers = [...known, ...added.map(({ name, publicKey }) => ({ name, publicKey }))];
  const { acceptOverrides = before.acceptOverrides } = changes;
  const anybody = who === null && added.length === 0;
  const after = { ...before, gateKeys, acceptOverrides, proposers: anybody ? null : proposers };
  await home.writeConfig(after);
  return after;
}

/** @throws VedetteError invalid_argument. */
function refuseUnknown(option: string, named: readonly string[], known: readonly string[]): void {
  const unknown = named.find((one) => !known.includes(one));
  if (unknown === undefined) return;
  throw new VedetteError(
    "invalid_argument",
    `${option} ${unknown}: this signer does not believe it anyway; it believes ${known.join(", ") || "none by name"}. Nothing was changed`,
  );
}

function notThere(error: unknown): boolean {
  if (error instanceof VedetteError && error.code === "not_found") return false;
  throw error;
}
