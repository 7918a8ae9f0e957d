import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCaptured } from "../../test/run-captured.ts";
import { signerWorld } from "../../test/signer-world.ts";
import { changeSigner } from "./set-up-signer.ts";
import { openSignerHome } from "./signer-home.ts";

const { config, keys } = signerWorld();

async function signerHome() {
  const folder = await mkdtemp(join(tmpdir(), "vedette-signer-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const home = openSignerHome(folder);
  await home.writeConfig(config);
  return home;
}

test("whom it is to believe no more is named as it knows them, or nothing changes", async () => {
  const home = await signerHome();
  for (const changes of [{ removeProposers: ["cl"] }, { removeGateKeys: [keys.stranger.publicKey] }]) {
    const changed = changeSigner({ ...changes, acceptOverrides: true }, home);
    await expect(changed).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("believes"),
    });
    expect(await home.config()).toEqual(config);
  }
  const told = await runCaptured(["signer", "set", "--home", home.folder, "--remove-proposer", "cl"]);
  expect(told).toMatchObject({ code: 1, err: expect.stringMatching(/--remove-proposer cl.*it believes ci, /) });
  expect(await changeSigner({ removeProposers: ["ci"] }, home)).toMatchObject({ proposers: [] });
});

test("more keys than it can hold are refused before they are written: what it believes can be read ever after", async () => {
  const home = await signerHome();
  const many = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(64));
  await expect(changeSigner({ addGateKeys: many }, home)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining("8 keys of the gate at most"),
  });
  expect(await home.config()).toEqual(config);
});

test("two processes over one folder write what they know whole, whoever is last", async () => {
  const home = await signerHome();
  const status = (why: string) => {
    return { at: "2026-11-23T12:00:00Z", outcome: "idle" as const, release: null, version: null, why };
  };
  const said = Array.from({ length: 40 }, (_, i) => `${i}`.repeat(2000));
  await Promise.all(said.map((why) => openSignerHome(home.folder).writeStatus(status(why))));
  expect(said).toContain((await home.status())?.why);
  expect((await readdir(home.folder)).toSorted()).toEqual(["signer.json", "status.json"]);
});
