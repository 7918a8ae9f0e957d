/** A version's files checked by a program that knows nothing of Vedette: model_signing of PyPI. */
import { execFile } from "node:child_process";
import { appendFile, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { vedetteOf } from "../../test/commands.ts";
import { startSite } from "../../test/site.ts";

/** A passphrase is made slow on purpose, and a busy machine makes it slower. */
vi.setConfig({ testTimeout: 120_000 });

const run = promisify(execFile);
const python = process.env.VEDETTE_TEST_PYTHON;
const linear = fileURLToPath(new URL("../../../fixtures/models/written/linear.onnx", import.meta.url));

/** A published version, its files and signature written to a folder. */
async function written(passphrase?: string) {
  const folder = await mkdtemp(join(tmpdir(), "vedette-signed-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const site = await startSite();
  await copyFile(join(site.home, "operator.token"), join(folder, "operator.token"));
  const env = passphrase === undefined ? {} : { VEDETTE_PASSPHRASE: passphrase };
  const vedette = vedetteOf(site, folder, { now: () => site.clock.now(), env });
  await writeFile(join(folder, "data.csv"), "a,b,y\n1,2,3\n4,5,6\n7,8,9\n");
  const out = join(folder, "version");
  for (const command of [
    ["keys", "init"],
    ["model", "publish", "--name", "m", "--model", linear, "--reference", join(folder, "data.csv"), "--label", "y"],
    ["model", "signature", "--name", "m", "--version", "1", "--out", out],
  ]) {
    expect(await vedette(...command)).toMatchObject({ code: 0 });
  }
  return { folder, out, vedette };
}

const verify = (out: string, key = `${out}.pub.pem`) =>
  run(join(dirname(python ?? ""), "model_signing"), [
    ...["verify", "key", "--signature", join(out, "model.sig"), "--public_key", key],
    out,
  ]);

test.skipIf(!python && !process.env.CI)(
  "[S34] model_signing accepts a version's signature, and refuses a changed file and another key",
  async () => {
    const { folder, out } = await written();
    expect((await readdir(out)).sort()).toEqual(["drift-reference.bin", "golden.json", "model.onnx", "model.sig"]);
    await expect(verify(out)).resolves.toBeDefined();
    const other = await written();
    await copyFile(`${other.out}.pub.pem`, join(folder, "other.pem"));
    await expect(verify(out, join(folder, "other.pem"))).rejects.toThrow(/Key mismatch/);
    const intact = await readFile(join(out, "golden.json"));
    await appendFile(join(out, "golden.json"), " ");
    await expect(verify(out)).rejects.toThrow(/golden\.json/);
    await writeFile(join(out, "golden.json"), intact);
    await expect(verify(out)).resolves.toBeDefined();
    await writeFile(join(out, "more.bin"), "slipped in");
    await expect(verify(out)).rejects.toThrow(/more\.bin/);
  },
);

test("[S34] the signature is a sigstore bundle of DSSE over in-toto, whose hint names the key", async () => {
  const { out, vedette } = await written("a passphrase");
  const bundle = JSON.parse(await readFile(join(out, "model.sig"), "utf8"));
  expect(bundle).toMatchObject({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: expect.stringMatching(/^[0-9a-f]{64}$/) }, tlogEntries: [] },
    dsseEnvelope: { payloadType: "application/vnd.in-toto+json" },
  });
  const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, "base64").toString());
  expect(statement).toMatchObject({
    _type: "https://in-toto.io/Statement/v1",
    predicateType: "https://model_signing/signature/v1.0",
    predicate: { resources: [{ name: "drift-reference.bin" }, { name: "golden.json" }, { name: "model.onnx" }] },
  });
  expect(await vedette("model", "signature", "--name", "m", "--version", "9", "--out", out)).toMatchObject({
    code: 1,
    err: expect.stringContaining("vedette model list"),
  });
});

test("[Q66] model list tells the revoked versions from the others, to people and to programs", async () => {
  const { folder, vedette } = await written();
  const flags = ["--name", "m", "--model", linear, "--reference", join(folder, "data.csv"), "--label", "y"];
  expect(await vedette("model", "publish", ...flags, "--cache-age", "1h")).toMatchObject({ code: 0 });
  const states = async () => {
    const { models } = JSON.parse((await vedette("model", "list", "--json")).out);
    return models[0].versions.map(({ version, revoked }: { version: number; revoked: boolean }) => [version, revoked]);
  };
  expect(await states()).toEqual([
    [1, false],
    [2, false],
  ]);
  expect((await vedette("model", "list")).out).not.toMatch(/revoked/);
  expect(await vedette("model", "revoke", "--name", "m", "--version", "1")).toMatchObject({ code: 0 });
  expect(await states()).toEqual([
    [1, true],
    [2, false],
  ]);
  const { out } = await vedette("model", "list");
  expect(out).toMatch(/^m +1 +revoked /m);
  expect(out).toMatch(/^m +2 +- /m);
});
