import { type AgentAbilities, lacks } from "@vedette/protocol/capability";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DeviceRecord, RuleRecord } from "../db/records.ts";
import type { Overlay } from "../db/rollout-records.ts";
import { type Candidate, decideSlots, lacksForBoth, matches } from "./decide-slots.ts";

const requires = fc.record({
  capability: fc.integer({ min: 1, max: 2 }),
  opset: fc.integer({ min: 15, max: 19 }),
  kernelAbi: fc.integer({ min: 1, max: 2 }),
  backends: fc.constantFrom<("node-cpu" | "wasm")[]>(["node-cpu"], ["wasm"], ["node-cpu", "wasm"]),
  domains: fc.constantFrom<(string[] | undefined)[]>([""], ["", "ai.onnx.ml"], ["", "com.microsoft"], undefined),
  memoryBytes: fc.constantFrom(2 ** 28, 2 ** 30, undefined),
});
const abilities: fc.Arbitrary<AgentAbilities> = requires.map((has) => ({ ...has, agent: "0.1.0", runtime: "test" }));
const candidates: fc.Arbitrary<Candidate[]> = fc
  .array(
    fc.record({ requires, assignable: fc.constantFrom("yes" as const, "revoked" as const, "not listed" as const) }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  .map((versions) =>
    versions.map((one, i) => ({ ...one, model: "rain", version: i + 1, digest: `${i + 1}`.repeat(64), length: 100 })),
  );
const selector = fc.constantFrom<RuleRecord["selector"][]>(
  { all: true },
  { devices: ["gauge-1"] },
  { devices: ["gauge-2"] },
  { labels: { city: "seattle" } },
  { labels: { city: "boston" } },
);
const rules: fc.Arbitrary<RuleRecord[]> = fc
  .array(fc.record({ version: fc.option(fc.integer({ min: 1, max: 7 })), selector }), { maxLength: 6 })
  .map((list) => list.map((rule, i) => ({ ...rule, id: i + 1, model: "rain", createdAt: 0 })));
const device: fc.Arbitrary<DeviceRecord> = fc.record({
  agent: fc.constantFrom("gauge-1", "gauge-2"),
  labels: fc.constantFrom({ city: "seattle" }, {}),
  abilities: fc.option(abilities),
  report: fc.option(fc.integer({ min: 1, max: 6 })).map((serving) => (serving === null ? null : reportOf(serving))),
  publicKey: fc.constant(""),
  enrolledAt: fc.constant(0),
  lastSeen: fc.constant(null),
  rev: fc.constant(0),
  revokedAt: fc.constant(null),
  revokedReason: fc.constant(null),
  token: fc.constant(""),
  slots: fc.constant([]),
});

function reportOf(release: number): DeviceRecord["report"] {
  const serving = { digest: `${release}`.repeat(64), release };
  const has = { capability: 1, agent: "", runtime: "", opset: 1, kernelAbi: 1, backends: ["wasm" as const] };
  const slot = {
    model: "rain",
    serving,
    previous: null,
    candidate: null,
    served: 1,
    drift: [],
    sources: {},
    reasons: {},
  };
  return { agent: "gauge-1", rev: 0, at: 0, abilities: has, labels: {}, slots: [slot] };
}

test("[D3] nothing is ever assigned that is revoked, unlisted, or needs what the device lacks", () => {
  fc.assert(
    fc.property(device, rules, candidates, (one, standing, known) => {
      for (const slot of decideSlots(one, standing, known).slots) {
        const chosen = known.find((candidate) => candidate.digest === slot.digest);
        expect(chosen?.assignable).toBe("yes");
        expect(chosen && one.abilities ? lacks(chosen.requires, one.abilities) : []).toEqual([]);
        expect(slot.release).toBe(chosen?.version);
      }
    }),
    { numRuns: 1000 },
  );
});

test("[D15] a device says what it lacks: operators, memory, opset; what one end does not say is not held against it", () => {
  const needs = { capability: 1, opset: 17, kernelAbi: 1, backends: ["node-cpu"] };
  const has = { ...needs, agent: "0.1.0", runtime: "test" };
  const [few, many] = [
    { domains: [""], memoryBytes: 2 ** 28 },
    { domains: ["", "com.microsoft"], memoryBytes: 2 ** 30 },
  ];
  expect(lacks({ ...needs, ...many }, { ...has, ...few })).toEqual([
    "operators of com.microsoft",
    "1024 MiB of memory (has 256 MiB)",
  ]);
  expect(lacks({ ...needs, ...few }, { ...has, ...many })).toEqual([]);
  expect([lacks({ ...needs, ...many }, has), lacks(needs, { ...has, ...few })]).toEqual([[], []]);
  expect(lacks({ ...needs, opset: 23 }, { ...has, opset: 21 })).toEqual(["opset 23 (has 21)"]);
});

test("the latest matching rule is followed, or the reason why not is given", () => {
  fc.assert(
    fc.property(device, rules, candidates, (one, standing, known) => {
      const { slots, withheld } = decideSlots(one, standing, known);
      const rule = standing.filter((candidate) => matches(candidate.selector, one)).at(-1);
      if (!rule || rule.version === null) expect({ slots, withheld }).toEqual({ slots: [], withheld: [] });
      else if (slots[0]?.release === rule.version) expect(withheld).toEqual([]);
      else {
        expect(withheld).toMatchObject([{ model: "rain", version: rule.version }]);
        const serving = one.report?.slots[0]?.serving?.digest;
        expect(slots.map((slot) => slot.digest)).toEqual(slots.length > 0 ? [serving] : []);
      }
    }),
    { numRuns: 1000 },
  );
});

test("[S32] [H19] where its rule's version is revoked a device is assigned what it returns to by itself, else nothing", () => {
  const requires = { capability: 1, opset: 1, kernelAbi: 1, backends: ["node-cpu" as const] };
  const candidate = (version: number, assignable: Candidate["assignable"]): Candidate => ({
    model: "rain",
    version,
    digest: `${version}`.repeat(64),
    length: 1,
    requires,
    assignable,
  });
  const pin = (release: number) => ({ digest: `${release}`.repeat(64), release });
  const at = (serving: number, previous: number | null): DeviceRecord => {
    const slot = { model: "rain", serving: pin(serving), previous: previous === null ? null : pin(previous) };
    const rest = { candidate: null, served: 1, drift: [], sources: {}, reasons: {} };
    const device = {
      agent: "gauge-1",
      publicKey: "",
      labels: {},
      enrolledAt: 0,
      lastSeen: null,
      abilities: null,
      rev: 1,
    };
    const report = { ...(reportOf(1) as NonNullable<DeviceRecord["report"]>), slots: [{ ...slot, ...rest }] };
    return { ...device, report, slots: [], revokedAt: null, revokedReason: null, token: "" };
  };
  const rule: RuleRecord = { id: 1, model: "rain", version: 1, selector: { all: true }, createdAt: 0 };
  const releases = (device: DeviceRecord, ...candidates: Candidate[]) =>
    decideSlots(device, [rule], candidates).slots.map((slot) => slot.release);
  const [gone, good] = [candidate(1, "revoked"), candidate(2, "yes")];
  expect(releases(at(1, 2), gone, good)).toEqual([2]);
  expect(releases(at(2, 1), gone, good)).toEqual([2]);
  expect(releases(at(1, null), gone, good)).toEqual([]);
  // What a rollout took back was meant for nobody: it is not kept, nor is what a device only says it has.
  const meant = ({ version }: Candidate) => version !== 2;
  const kept = (device: DeviceRecord, ...known: Candidate[]) =>
    decideSlots(device, [rule], known, [], meant).slots.map((slot) => slot.release);
  expect(kept(at(2, 1), gone, good)).toEqual([]);
  expect(kept(at(2, 3), gone, good, candidate(3, "yes"))).toEqual([3]);
  // Only a revocation sends it back: what it serves and is merely not listed any more is no reason.
  expect(releases(at(1, 2), candidate(1, "not listed"), good)).toEqual([]);
});

test("what lies over the rules is given as far as the device's agent knows how to follow it", () => {
  const requires = { capability: 1, opset: 1, kernelAbi: 1, backends: ["wasm"] };
  const known = [1, 2].map((version): Candidate => {
    return { model: "rain", version, digest: `${version}`.repeat(64), length: 1, requires, assignable: "yes" };
  });
  const rule: RuleRecord = { id: 1, model: "rain", version: 1, selector: { all: true }, createdAt: 0 };
  const split = { salt: "0".repeat(32), share: 0.5 };
  const given = (capability: number, kind: Overlay["kind"], over: Partial<Overlay> = {}) => {
    const abilities = { capability, agent: "", runtime: "", opset: 1, kernelAbi: 1, backends: ["wasm"] };
    const base: DeviceRecord = {
      ...{ agent: "gauge-1", labels: {}, abilities, report: null, publicKey: "", enrolledAt: 0, lastSeen: null },
      ...{ rev: 0, revokedAt: null, revokedReason: null, token: "", slots: [] },
    };
    const overlay: Overlay = { agent: "gauge-1", model: "rain", version: 2, kind, sample: 1, ...over };
    const { slots } = decideSlots(base, [rule], known, [overlay]);
    return [slots[0]?.release, slots[0]?.beside?.release ?? null, slots[0]?.beside?.split ?? null];
  };
  expect(given(2, "canary")).toEqual([2, null, null]);
  expect(given(2, "shadow")).toEqual([1, null, null]);
  expect(given(3, "canary")).toEqual([2, 1, null]);
  expect(given(3, "shadow")).toEqual([1, 2, null]);
  expect(given(3, "split", { split })).toEqual([1, null, null]);
  expect(given(4, "split", { split })).toEqual([1, 2, split]);
  // An experiment asks nothing of both.
  expect(given(4, "canary", { sample: null })).toEqual([2, null, null]);
});

test("[A16] [C16] nothing is asked beside what answers where the device has no memory for both, whatever models it has", () => {
  const version = (model: string, version: number, mib: number): Candidate => ({
    ...{ model, version, digest: `${model}${version}`, length: 1, assignable: "yes" },
    requires: { capability: 1, opset: 17, kernelAbi: 1, backends: ["node-cpu"], memoryBytes: mib * 2 ** 20 },
  });
  const all = [version("rain", 1, 200), version("rain", 2, 300), version("wind", 1, 400)];
  const has = (mib: number | undefined): DeviceRecord => ({
    ...{ agent: "gauge-1", labels: {}, publicKey: "", enrolledAt: 0, lastSeen: null, rev: 0, report: null, slots: [] },
    ...{ revokedAt: null, revokedReason: null, token: "" },
    abilities: {
      ...{ capability: 4, agent: "0.1.0", runtime: "test", opset: 17, kernelAbi: 1, backends: ["node-cpu"] },
      ...(mib !== undefined && { memoryBytes: mib * 2 ** 20 }),
    },
  });
  const standing = ["rain", "wind"].map((model, id) => ({
    id,
    model,
    version: 1,
    selector: { all: true as const },
    createdAt: 0,
  }));
  const split = { salt: "0".repeat(32), share: 0.5 };
  const rain = (mib: number | undefined, kind: "shadow" | "canary" | "split") => {
    const overlay = { agent: "gauge-1", model: "rain", version: 2, kind, sample: kind === "split" ? null : 1, split };
    const slot = decideSlots(has(mib), standing, all, [overlay]).slots.find(({ model }) => model === "rain");
    return [slot?.digest, slot?.beside?.digest];
  };
  expect([rain(900, "shadow"), rain(899, "shadow")]).toEqual([
    ["rain1", "rain2"],
    ["rain1", undefined],
  ]);
  expect([rain(900, "split"), rain(899, "split")]).toEqual([
    ["rain1", "rain2"],
    ["rain1", undefined],
  ]);
  expect([rain(undefined, "canary"), rain(899, "canary")]).toEqual([
    ["rain2", "rain1"],
    ["rain2", undefined],
  ]);
  expect(lacksForBoth(all[1] as Candidate, [all[0], all[2]] as Candidate[], has(899))).toBe(
    "gauge-1 lacks memory for both: up to 300 MiB beside 600 MiB (has 899 MiB)",
  );
});
