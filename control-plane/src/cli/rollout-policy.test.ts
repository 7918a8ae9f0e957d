import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { policyFile, policyOf } from "./rollout-policy.ts";

test("a file that is no policy is refused in one line that says where and what", async () => {
  const folder = await mkdtemp(join(tmpdir(), "vedette-policy-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "policy.json");
  const refusal = async (text: string) => {
    await writeFile(path, text);
    return policyFile(path).then(
      () => "taken",
      (error: Error) => error.message,
    );
  };
  const said = [
    await refusal("{"),
    await refusal("[]"),
    await refusal('{"stagez": []}'),
    await refusal('{"served": 0}'),
  ];
  expect(said).toEqual([
    expect.stringContaining("policy.json is no JSON: "),
    expect.stringContaining("policy.json is no policy: a JSON object, as in docs/guides/rollouts.md"),
    expect.stringContaining('policy.json: (whole): Unrecognized key: "stagez"'),
    expect.stringContaining("policy.json: served: "),
  ]);
  const how = [
    await refusal('{"selector": {"label": {"city": "seattle"}}}'),
    await refusal('{"selector": {"labels": {}}}'),
    await refusal('{"window": {"from": "2:00", "until": "04:00"}}'),
    await refusal('{"startAt": "2027-01-31T12:00:00+01:00"}'),
    await refusal('{"metrics": [{"metric": "latencyy", "margin": 1}]}'),
  ];
  expect(how).toEqual([
    expect.stringContaining('selector: write one of {"all": true}'),
    expect.stringContaining("selector.labels: name a label, or say all"),
    expect.stringContaining("window.from: write a time of day as 02:30"),
    expect.stringContaining("startAt: write a moment in UTC as 2027-01-31T12:00:00Z"),
    expect.stringContaining("metrics.0.metric: name unfit, disagreement, latency"),
  ]);
  for (const message of said) expect(message).not.toContain("\n");
  expect(await refusal("{}")).toBe("taken");
  expect(await refusal("\ufeff{}")).toBe("taken");
});

test("a moment that is over, written by hand, is refused: what was meant for the night would begin at once", async () => {
  const now = Date.UTC(2027, 0, 31, 12);
  await expect(policyOf({ startAt: "2026-01-31T23:00:00.000Z" }, now)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining("--start-at 2026-01-31T23:00:00.000Z is over"),
  });
  expect(await policyOf({ startAt: "2027-01-31T23:00:00.000Z" }, now)).toMatchObject({
    startAt: "2027-01-31T23:00:00.000Z",
  });
});
