import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  hashedValue,
  isWithheld,
  type LogPolicy,
  needsRules,
  parseLogRule,
  ruleOfField,
  sampleUnit,
  wrongPolicy,
} from "./log-policy.ts";

const id = (n: number) => `dev.rain.00112233445566ff.${n}`;

test("[B13] a field has its own rule, else that of all inputs; the words of the first manifests still mean what they did", () => {
  const policy: LogPolicy = { inputs: "none", fields: { wind: { mode: "sampled", rate: 0.1 } } };
  expect(ruleOfField(policy, "wind")).toEqual({ mode: "sampled", rate: 0.1 });
  expect(ruleOfField(policy, "temp")).toEqual({ mode: "none" });
  expect(ruleOfField({ inputs: "full" }, "constructor")).toEqual({ mode: "full" });
  expect([needsRules({ inputs: "none" }), needsRules({ inputs: "full", receipts: true })]).toEqual([false, false]);
  expect([needsRules(policy), needsRules({ inputs: "full", entity: { mode: "hashed" } })]).toEqual([true, true]);
});

test("[B13] a policy for a field that is none, or that hashes without salt, is refused", () => {
  expect(wrongPolicy({ inputs: "full", fields: { wnd: { mode: "none" } } }, ["wind"])).toContain("wnd");
  expect(wrongPolicy({ inputs: { mode: "hashed" } }, ["wind"])).toContain("salt");
  expect(wrongPolicy({ inputs: { mode: "hashed" }, salt: "00".repeat(16) }, ["wind"])).toBeUndefined();
});

test("[B14] a sample is the same for every reader, keeps its share, and a lower rate keeps a part of a higher one", () => {
  expect(sampleUnit("dev.rain.00112233445566ff.0")).toBe(sampleUnit("dev.rain.00112233445566ff.0"));
  const kept = (rate: number) =>
    Array.from({ length: 20_000 }, (_, n) => n).filter(
      (n) => !isWithheld({ x: { mode: "sampled", rate } }, "x", id(n)),
    );
  const [tenth, half] = [kept(0.1), kept(0.5)];
  // Five standard deviations of a binomial of 20,000.
  expect(Math.abs(tenth.length - 2000)).toBeLessThan(5 * Math.sqrt(20_000 * 0.1 * 0.9));
  expect(Math.abs(half.length - 10_000)).toBeLessThan(5 * Math.sqrt(20_000 * 0.25));
  const more = new Set(half);
  expect(tenth.every((n) => more.has(n))).toBe(true);
});

test("[B14] which predictions a sample keeps is the same for ever", () => {
  expect([0, 1, 2, 3].map((n) => sampleUnit(id(n)).toFixed(6))).toMatchInlineSnapshot(`
    [
      "0.142936",
      "0.827353",
      "0.238948",
      "0.978953",
    ]
  `);
});

test("a hash is of the salt and the value, and has 32 hex digits", () => {
  const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.double({ noNaN: true })), (value) => {
      const one = hashedValue(hash, "00".repeat(16), value);
      expect(one).toMatch(/^[0-9a-f]{32}$/);
      expect(hashedValue(hash, "01".repeat(16), value)).not.toBe(one);
    }),
  );
});

test("rules as a person writes them", () => {
  expect(parseLogRule("sampled:0.25")).toEqual({ mode: "sampled", rate: 0.25 });
  expect(parseLogRule("hashed")).toEqual({ mode: "hashed" });
  for (const wrong of ["", "all", "sampled", "sampled:2", "full:1", "sampled:0.1:2"]) {
    expect(() => parseLogRule(wrong)).toThrow("sampled:0.1");
  }
});
