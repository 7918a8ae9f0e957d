import { VedetteError } from "@vedette/protocol/errors";
import type { GateReport } from "@vedette/protocol/gate-api";
import type { Release } from "@vedette/protocol/release-api";
import fc from "fast-check";
import { expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { noon } from "../../test/clock.ts";
import { failedChecks, passedChecks, signedBy, signerWorld } from "../../test/signer-world.ts";
import {
  addRelease,
  delegate,
  firstTargets,
  raiseFloor,
  readTargets,
  sign,
  versionOf,
  withVersion,
} from "../publish/trust-metadata.ts";
import { judgeOffer, type Known } from "./judge-offer.ts";

const { keys, first, second, known, config, delegated, report, override, proposal, offer } = signerWorld();
const iso = (ms: number) => new Date(ms).toISOString();
const day = 86_400_000;

/** Why it is not signed. */
async function refusal(over: Partial<Release>, at: Partial<Known> = {}): Promise<string> {
  return judgeOffer(offer(over), { ...known, ...at }).then(
    () => "signed",
    (error: Error) => `${(error as { code?: string }).code}: ${error.message}`,
  );
}

test("an honest offer is signed: what stood, and this one version more", async () => {
  const { text, release, digest } = await judgeOffer(offer(), known);
  expect({ release, digest }).toEqual({ release: 2, digest: second.digest });
  const { signed } = readTargets(text, "project-rain");
  expect(signed.version).toBe(2);
  expect(Object.values(signed.targets).map((target) => [target.hashes.sha256, target.custom.release])).toEqual([
    [first.digest, 1],
    [second.digest, 2],
  ]);
});

test("[H8] only by a report of the gate it was told, of this very digest, version, model and site, is anything signed", async () => {
  expect(await refusal({ report: null })).toMatch(/^unsigned/);
  expect(await refusal({ report: report({}, keys.stranger) })).toMatch(/^bad_signature.*was told/);
  const honest = report();
  const lied = { ...honest, payload: honest.payload.replace('"passed":true', '"passed":false') };
  expect(lied.payload).not.toBe(honest.payload);
  expect(await refusal({ report: lied })).toMatch(/^bad_signature/);
  // Another kind of signed text of the same key is no report.
  const payload = report().payload;
  expect(await refusal({ report: signedBy(keys.gate, "gate-override", payload) })).toMatch(/^bad_signature/);
  expect(await refusal({ report: report({}, keys.gate, first) })).toMatch(/^digest_mismatch/);
  expect(await refusal({ report: report({ model: "snow" }) })).toMatch(/^forbidden.*model snow/);
  expect(await refusal({ report: report({ site: "other" }) })).toMatch(/^forbidden.*site other/);
  expect(await refusal({ report: report({ version: 3 }) })).toMatch(/^conflict.*version 3, not 2/);
});

test("[H9] a report of a failed gate signs nothing; an override only where this signer was told so, unchanged, in force, and for all", async () => {
  const failed = report({ checks: failedChecks });
  expect(await refusal({ report: failed })).toMatch(/^conflict.*latency\.wasm/);
  expect(await refusal({ report: failed, override: override() })).toMatch(/does not accept/);
  const willing = { config: { ...config, acceptOverrides: true } };
  expect(await refusal({ report: failed, override: override() }, willing)).toBe("signed");
  expect(await refusal({ report: failed, override: null }, willing)).toMatch(/^conflict/);
  const edited = { ...override(), payload: override().payload.replace("latency.wasm", "golden.wasm") };
  expect(await refusal({ report: failed, override: edited }, willing)).toMatch(/^bad_signature.*override/);
  expect(await refusal({ report: failed, override: override({}, keys.stranger) }, willing)).toMatch(/^bad_signature/);
  const over = override({ expiresAt: iso(noon - 1) });
  expect(await refusal({ report: failed, override: over }, willing)).toMatch(/^conflict.*is over/);
  expect(await refusal({ report: failed, override: override({ checks: ["accuracy"] }) }, willing)).toMatch(/^conflict/);
  expect(await refusal({ report: failed, override: override({ digest: first.digest }) }, willing)).toMatch(/^digest/);
  expect(await refusal({ report: failed, override: override({ version: 1 }) }, willing)).toMatch(/^conflict/);
  expect(await refusal({ report: failed, override: override({ model: "snow" }) }, willing)).toMatch(/^forbidden/);
  // What must have been looked at was not.
  for (const missing of ["manifest", "golden.wasm", "golden.node-cpu"]) {
    const checks = passedChecks.filter(({ name }) => name !== missing);
    expect(await refusal({ report: report({ checks }) })).toMatch(new RegExp(`says nothing of ${missing}`));
    const unmade: GateReport["checks"] = passedChecks.map((one) =>
      one.name === missing ? { ...one, passed: null } : one,
    );
    expect(await refusal({ report: report({ checks: unmade }) }, willing)).toMatch(/says nothing of/);
  }
});

test("[H10] the manifest is the one of the digest, and of the signer's model", async () => {
  expect(await refusal({ manifest: first.manifest })).toMatch(/^digest_mismatch/);
  expect(await refusal({ digest: first.digest, manifest: second.manifest })).toMatch(/^digest_mismatch/);
  const snow = makeBundle("snow", "two");
  expect(await refusal({ manifest: snow.manifest, digest: snow.digest })).toMatch(/^forbidden.*signs rain only/);
  expect(await refusal({ manifest: "{}", digest: second.digest })).toMatch(/^digest_mismatch/);
});

test("[H11] what another signer began is signed only where it says what this one would have made", async () => {
  const begun = addRelease(known.project, "rain", second, noon - day);
  expect(await refusal({ draft: sign(begun, [keys.signer]) })).toBe("signed");
  const third = makeBundle("rain", "three");
  expect(await refusal({ draft: addRelease(begun, "rain", third, noon) })).toMatch(/^invalid_metadata.*something else/);
  const json = JSON.parse(begun) as {
    signed: { targets: Record<string, { length: number; custom: { release: number } }> };
  };
  const [standing] = Object.keys(json.signed.targets);
  const changed = (change: (targets: typeof json.signed.targets) => void) => {
    const copy = structuredClone(json);
    change(copy.signed.targets);
    return JSON.stringify(copy);
  };
  for (const draft of [
    changed((targets) => delete targets[standing as string]),
    changed((targets) => Object.assign(targets[standing as string] as object, { length: 1 })),
    changed((targets) => Object.assign(targets[standing as string]?.custom as object, { release: 9 })),
    delegate(withVersion(delegated(keys.release), 2), "rain", { keys: [keys.stranger], threshold: 1 }, noon),
  ]) {
    expect(await refusal({ draft })).toMatch(/^invalid_metadata.*something else/);
  }
  expect(await refusal({ draft: withVersion(begun, 1) })).toMatch(/^invalid_metadata.*version 1/);
  // Signed under the last of all numbers, nothing could ever be published after it.
  for (const version of [102, 2 ** 53 - 1, 2 ** 53, 1e300]) {
    expect(await refusal({ draft: withVersion(begun, version) })).toMatch(/^invalid_metadata.*are version/);
  }
  // Another signer signed some that never reached the control plane.
  expect(await refusal({ draft: withVersion(begun, 12) })).toBe("signed");
  const forever = addRelease(known.project, "rain", second, noon + 3650 * day);
  expect(await refusal({ draft: forever })).toMatch(/^invalid_metadata.*would end/);
  expect(await refusal({ draft: addRelease(known.project, "rain", second, noon - 91 * day) })).toMatch(/would end/);
});

test("[H12] neither numbers nor floors nor reports go back, and nothing is signed by metadata that do not hold", async () => {
  expect(await refusal({ report: report({ at: iso(noon - 25 * 3_600_000) }) })).toMatch(/^expired.*too old/);
  expect(await refusal({ report: report({ at: iso(noon + day) }) })).toMatch(/^expired/);
  expect(await refusal({}, { newestReport: iso(noon - 1) })).toMatch(/^replayed.*newer/);
  const floor = { targets: sign(raiseFloor(known.targets, "rain", 3, noon), [keys.targets]) };
  expect(await refusal({}, floor)).toMatch(/^revoked.*below 3/);
  expect(await refusal({}, { now: noon + 91 * day })).toMatch(/^expired.*targets/);
  expect(await refusal({}, { targets: delegated(keys.release) })).toMatch(/^forbidden.*may not sign/);
  const none = { targets: sign(firstTargets({ snapshot: "", timestamp: "", director: "3".repeat(64) }, noon), []) };
  expect(await refusal({}, none)).toMatch(/^forbidden/);
  expect(await refusal({}, { project: undefined })).toMatch(/^not_found.*by hand/);
  const listed = sign(addRelease(known.project, "rain", second, noon), [keys.release]);
  expect(await refusal({}, { project: listed })).toMatch(/^conflict.*release 2 already/);
});

test("[H13] under a release number it signs one digest for ever, the very same text again, and no version of the metadata twice", async () => {
  const third = makeBundle("rain", "three");
  const entry = (digest: string, release: number, text: string, proposedAt: string | null = null) => {
    return { release, digest, proposedAt, signedAt: iso(noon), text };
  };
  const other = sign(addRelease(known.project, "rain", third, noon), [keys.signer]);
  expect(await refusal({}, { signed: [entry(third.digest, 2, other)] })).toMatch(/^conflict.*has signed/);
  const mine = sign(addRelease(known.project, "rain", second, noon - day), [keys.signer]);
  const again = await judgeOffer(offer(), { ...known, signed: [entry(second.digest, 2, mine)] });
  expect(again.text).toBe(mine);
  // It was signed on what stood then, which is not what stands now.
  const renewed = sign(withVersion(known.project as string, 4), [keys.release]);
  const anew = await judgeOffer(offer(), { ...known, project: renewed, signed: [entry(second.digest, 2, mine)] });
  expect(versionOf(anew.text)).toBe(5);
  // Something of another number that never reached the control plane has its version of the metadata for ever, too.
  const lost = withVersion(addRelease(known.project, "rain", third, noon), 7);
  const next = await judgeOffer(offer(), { ...known, signed: [entry(third.digest, 9, lost)] });
  expect(versionOf(next.text)).toBe(8);
});

test("[H11] whatever character of an offer is another, either nothing is signed or the same as without", async () => {
  const honest = offer({ draft: sign(addRelease(known.project, "rain", second, noon - day), [keys.stranger]) });
  const saying = (text: string) => readTargets(text, "project-rain").signed.toJSON().targets;
  const expected = saying((await judgeOffer(honest, known)).text);
  const change = (text: string, at: number, to: string) => {
    const place = Math.floor(at * text.length);
    return `${text.slice(0, place)}${to}${text.slice(place + 1)}`;
  };
  const changes: readonly ((at: number, to: string) => Partial<Release>)[] = [
    (at, to) => ({ manifest: change(honest.manifest, at, to) }),
    (at, to) => ({ digest: change(honest.digest, at, to) }),
    (at, to) => ({ draft: change(honest.draft ?? "", at, to) }),
    (at, to) => ({ proposal: { ...honest.proposal, payload: change(honest.proposal.payload, at, to) } }),
    (at, to) => ({ report: { ...report(), payload: change(report().payload, at, to) } }),
    (at, to) => ({ report: signedBy(keys.stranger, "gate-report", change(report().payload, at, to)) }),
  ];
  let signed = 0;
  const property = fc.asyncProperty(
    fc.constantFrom(...changes),
    fc.double({ min: 0, max: 0.9999, noNaN: true }),
    fc.constantFrom(...'0129afz{}[],:"\\ '),
    async (made, at, to) => {
      const judged = await judgeOffer({ ...honest, ...made(at, to) }, known).catch((error: unknown) => {
        if (error instanceof VedetteError) return undefined;
        throw error;
      });
      if (!judged) return;
      signed++;
      expect(saying(judged.text)).toEqual(expected);
    },
  );
  await fc.assert(property, { numRuns: 600 });
  // Characters that became themselves, and ends that are still near enough.
  expect(signed).toBeLessThan(150);
});

test("[H16] only what was proposed by a key that it was told, lately, and after what it signed before", async () => {
  expect(await refusal({ proposal: proposal({}, keys.stranger) })).toMatch(/^bad_signature.*nobody who may propose/);
  const edited = { ...proposal(), payload: proposal().payload.replace("rain", "snow") };
  expect(await refusal({ proposal: edited })).toMatch(/^bad_signature/);
  expect(await refusal({ proposal: { ...proposal(), signatures: [] } })).toMatch(/^bad_signature/);
  expect(await refusal({ proposal: proposal({ digest: first.digest }) })).toMatch(/^digest_mismatch/);
  expect(await refusal({ proposal: proposal({ model: "snow" }) })).toMatch(/^forbidden/);
  expect(await refusal({ proposal: proposal({ site: "other" }) })).toMatch(/^forbidden/);
  expect(await refusal({ proposal: proposal({ at: iso(noon - 31 * day) }) })).toMatch(/^expired.*too long ago/);
  expect(await refusal({ proposal: proposal({ at: iso(noon + day) }) })).toMatch(/^expired/);
  const later = {
    release: 1,
    digest: first.digest,
    proposedAt: iso(noon),
    signedAt: iso(noon),
    text: known.project as string,
  };
  expect(await refusal({}, { signed: [later] })).toMatch(/^replayed.*before release 1/);
  const anybody = { config: { ...config, proposers: null } };
  expect(await refusal({ proposal: proposal({}, keys.stranger) }, anybody)).toBe("signed");
});
