import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { policyFile } from "./rollout-policy.ts";

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
  for (const message of said) expect(message).not.toContain("\n");
  expect(await refusal("{}")).toBe("taken");
});
