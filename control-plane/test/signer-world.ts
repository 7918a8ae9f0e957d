/** A signer's world in tests: keys of everybody, the metadata as they stand, and offers as an honest control plane makes them. */
import { encodeGate, type GateCheck, type GateOverride, type GateReport } from "@vedette/protocol/gate-api";
import { encodeProposal, type Release } from "@vedette/protocol/release-api";
import { type SignedText, signedBytes } from "@vedette/protocol/signed";
import type { OfflineKey } from "../src/publish/offline-keys.ts";
import { addRelease, delegate, firstRoot, firstTargets, sign } from "../src/publish/trust-metadata.ts";
import type { Known } from "../src/signer/judge-offer.ts";
import type { SignerConfig } from "../src/signer/signer-home.ts";
import { makeBundle, type TestBundle } from "./bundle.ts";
import { noon } from "./clock.ts";
import { makeKey } from "./operator.ts";

function namedKey(name: string): OfflineKey {
  const { publicKeyHex: publicKey, ...key } = makeKey();
  return { name, publicKey, ...key };
}

export function signedBy(key: OfflineKey, type: string, payload: string): SignedText {
  return { payload, signatures: [{ keyid: key.keyid, sig: key.sign(signedBytes(type, payload)) }] };
}

const check = (name: string, passed: boolean | null = true): GateCheck => ({
  ...{ name, passed, measured: null, limit: null, unit: null },
  why: passed ? "as it should be" : "not as it should be",
});
export const passedChecks = ["manifest", "golden.node-cpu", "golden.wasm", "latency.wasm"].map((name) => check(name));
export const failedChecks = passedChecks.map((one) => (one.name === "latency.wasm" ? check(one.name, false) : one));

/** A site with one version of `rain`, and a second one that is proposed. */
export function signerWorld() {
  const keys = {
    root: namedKey("root"),
    targets: namedKey("targets"),
    release: namedKey("release-rain"),
    signer: namedKey("signer-rain"),
    gate: namedKey("gate"),
    proposer: namedKey("propose-rain"),
    stranger: namedKey("stranger"),
  };
  const online = { snapshot: "1".repeat(64), timestamp: "2".repeat(64), director: "3".repeat(64) };
  const [first, second] = [makeBundle("rain", "one"), makeBundle("rain", "two")];
  const alone = (key: OfflineKey) => ({ keys: [key], threshold: 1 });
  const delegated = (...of: OfflineKey[]) =>
    sign(delegate(firstTargets(online, noon), "rain", { keys: of, threshold: 1 }, noon), [keys.targets]);
  const config: SignerConfig = {
    format: "vedette.signer/1",
    ...{ site: "test", model: "rain", key: "signer-rain", rootSha256: "0".repeat(64) },
    gateKeys: [keys.gate.publicKey],
    proposers: [{ name: "ci", publicKey: keys.proposer.publicKey }],
    acceptOverrides: false,
  };
  const known: Known = {
    ...{ config, keyid: keys.signer.keyid, now: noon, signed: [], newestReport: undefined },
    root: sign(firstRoot(alone(keys.root), alone(keys.targets), online, noon), [keys.root]),
    targets: delegated(keys.release, keys.signer),
    project: sign(addRelease(undefined, "rain", first, noon), [keys.release]),
  };

  const about = (bundle: TestBundle, version = 2) => ({
    ...{ site: "test", model: "rain", version, digest: bundle.digest, at: new Date(noon - 60_000).toISOString() },
  });
  const report = (over: Partial<GateReport> = {}, key = keys.gate, bundle = second): SignedText => {
    const document = {
      format: "vedette.gate-report/1" as const,
      ...about(bundle),
      champion: null,
      checks: passedChecks,
    };
    return signedBy(key, "gate-report", encodeGate({ ...document, ...over }));
  };
  const override = (over: Partial<GateOverride> = {}, key = keys.gate): SignedText => {
    const until = new Date(noon + 3_600_000).toISOString();
    const document = { ...about(second), checks: ["latency.wasm"], by: "ada", reason: "slow site", expiresAt: until };
    return signedBy(key, "gate-override", encodeGate({ format: "vedette.gate-override/1", ...document, ...over }));
  };
  const proposal = (over: object = {}, key = keys.proposer): SignedText => {
    const { version: _, ...of } = about(second);
    return signedBy(key, "proposal", encodeProposal({ format: "vedette.proposal/1", ...of, ...over }));
  };
  const offer = (over: Partial<Release> = {}): Release => ({
    ...{ id: 1, model: "rain", digest: second.digest, state: "waiting", version: 2, why: "", offer: "1" },
    ...{ createdAt: new Date(noon).toISOString(), createdBy: "ci", decidedAt: null, decidedBy: null, rollout: null },
    ...{ manifest: second.manifest, proposal: proposal(), report: report(), override: null, draft: null },
    ...over,
  });
  return { keys, first, second, known, config, delegated, report, override, proposal, offer };
}
