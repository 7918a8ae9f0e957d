import { readFile } from "node:fs/promises";
import { rolloutPolicy } from "@vedette/protocol/rollout";
import { expect, test } from "vitest";
import { checkPolicy } from "./check-policy.ts";

const check = (policy: object) => () => checkPolicy(rolloutPolicy.parse(policy));

test("the guide's policy, and the one that is the default, can be honoured", async () => {
  const guide = await readFile(new URL("../../../../docs/guides/rollouts.md", import.meta.url), "utf8");
  const [, text = ""] = /```json\n(.*?)```/s.exec(guide) ?? [];
  expect(check(JSON.parse(text))).not.toThrow();
  expect(check({})).not.toThrow();
});

test("what a policy leaves out within a part of it is as by default", () => {
  const { failures, errors } = rolloutPolicy.parse({ failures: { share: 0 }, errors: { wrongPromotion: 0.01 } });
  expect([failures, errors]).toEqual([
    { share: 0, atLeast: 1 },
    { wrongPromotion: 0.01, wrongRollback: 0.05 },
  ]);
});

test("what could not be honoured is refused by name", () => {
  const canary = (share: number) => ({ kind: "canary", share });
  expect(check({ stages: [canary(0.5)] })).toThrow("the last stage must be a canary of all devices");
  expect(check({ stages: [{ kind: "shadow", share: 1 }] })).toThrow("the last stage");
  expect(check({ stages: [canary(0.1), { kind: "shadow", share: 1 }, canary(1)] })).toThrow("a shadow after a canary");
  expect(check({ stages: [canary(0.5), canary(0.2), canary(1)] })).toThrow("cohorts only grow");
  expect(check({ metrics: [{ metric: "business:sales", margin: 1 }] })).toThrow("more of business:sales is better");
  const latency = (quantile: number) => ({ metric: "latency", margin: 0.5, quantile });
  expect(check({ metrics: [latency(0.5), latency(0.5)] })).toThrow("latency 0.5 stands there twice");
  expect(check({ metrics: [latency(0.5), latency(0.99)] })).not.toThrow();
});

test("[R67] a time-out before a device can have followed is refused: nobody would ever be under way", () => {
  for (const timeoutMinutes of [0, 1e-9, 0.5])
    expect(check({ timeoutMinutes })).toThrow("write a timeout of 1 minute or more");
  for (const timeoutMinutes of [1, 525_600]) expect(check({ timeoutMinutes })).not.toThrow();
});

test("that devices which fail end nothing is taken on only where it is said plainly, by a share of 1", () => {
  for (const atLeast of [100_001, 1e9]) {
    expect(check({ failures: { share: 0.2, atLeast } })).toThrow("or a share of 1 where devices that fail are to end");
    expect(check({ failures: { share: 1, atLeast } })).not.toThrow();
  }
  expect(check({ failures: { share: 0.2, atLeast: 100_000 } })).not.toThrow();
});

test("[R55] what would never find anything, or never enough, is refused: a margin of all, errors and weights of nothing", () => {
  // Meant as percent: no version would ever be too bad.
  expect(check({ metrics: [{ metric: "unfit", margin: 2 }] })).toThrow("write 2 percent as 0.02");
  expect(check({ metrics: [{ metric: "latency", margin: 2 }] })).not.toThrow();
  const two = (weight: number, other: number) => ({
    metrics: [
      { metric: "unfit", margin: 0.02, weight },
      { metric: "latency", margin: 0.5, weight: other },
    ],
  });
  expect(check(two(1e308, 1e308))).toThrow("no evidence ever reaches");
  expect(check(two(1, 5e-324))).toThrow("no evidence ever reaches");
  expect(check(two(1, 1e-3))).not.toThrow();
  expect(check({ errors: { wrongPromotion: 1e-300, wrongRollback: 0.05 } })).toThrow("no evidence ever reaches");
});
