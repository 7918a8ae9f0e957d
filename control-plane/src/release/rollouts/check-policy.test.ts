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
