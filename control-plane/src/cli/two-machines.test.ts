/** The commands as two processes' worth of folders: the server's home, and an operator's that holds the keys. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { parseConfig, startControlPlane } from "../main.ts";
import { runCli } from "./run-cli.ts";

const model = fileURLToPath(new URL("../../../fixtures/models/written/linear.onnx", import.meta.url));
const command = fileURLToPath(new URL("../../bin/vedette.js", import.meta.url));

test("keys are made and used in a home that is not the server's, and no private key reaches the server", async () => {
  const folder = await mkdtemp(join(tmpdir(), "vedette-two-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const server = join(folder, "server");
  const config = parseConfig({ home: server, site: "two", port: 0, mqttPort: 0, wsPort: 0, logLevel: "silent" });
  const controlPlane = await startControlPlane(config);
  onTestFinished(() => controlPlane.close());
  const [ops, token] = [join(folder, "ops"), join(folder, "server.token")];
  await copyFile(join(server, "operator.token"), token);
  const vedette = async (...args: string[]) => {
    let out = "";
    const write = (text: string) => {
      out += text;
    };
    const code = await runCli([...args, "--home", ops, "--url", controlPlane.url, "--token-file", token], {
      env: {},
      terminal: false,
      screen: false,
      columns: () => 80,
      pause: async () => {},
      stdout: write,
      stderr: write,
      now: () => Date.now(),
      monotonic: () => performance.now(),
      run: () => Promise.reject(new Error("nothing is run here")),
      interrupted: async () => {},
    });
    return { code, out };
  };

  expect(await vedette("keys", "init")).toMatchObject({ code: 0 });
  const reference = join(folder, "data.csv");
  const rows = Array.from({ length: 600 }, (_, i) => `${i % 50},${i % 7},${i % 11}`);
  await writeFile(reference, `a,b,y\n${rows.join("\n")}\n`);
  const publish = ["model", "publish", "--name", "linear", "--model", model, "--reference", reference, "--label", "y"];
  expect(await vedette(...publish)).toMatchObject({ code: 0, out: expect.stringContaining("linear version 1") });
  expect(await vedette("keys", "renew")).toMatchObject({ code: 0 });
  expect(await vedette("model", "assign", "--name", "linear", "--all")).toMatchObject({ code: 0 });

  // The operator's home has no token of its own, the server's no key of the operator's, by name or by content.
  expect(await readdir(ops)).toEqual(["keys"]);
  expect(await readdir(server)).not.toContain("keys");
  const secrets = await privateParts(join(ops, "keys"));
  expect(secrets.length).toBeGreaterThanOrEqual(3);
  for (const entry of await readdir(server, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const held = (await readFile(join(entry.parentPath, entry.name))).toString("latin1");
    for (const secret of secrets) expect(held.includes(secret), entry.name).toBe(false);
  }
});

/** The base64 lines of every private key in a folder. */
async function privateParts(folder: string): Promise<string[]> {
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(join(folder, name), "utf8").catch(() => "")),
  );
  return texts.flatMap((text) => /-----BEGIN PRIVATE KEY-----\n(.+)\n/.exec(text)?.[1] ?? []);
}

test("an older Node, which cannot read the command, says what to run instead", () => {
  const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } })";
  const spoof = `data:text/javascript,${encodeURIComponent(old)}`;
  const { status, stderr } = spawnSync(process.execPath, ["--import", spoof, command, "--version"], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/^vedette: this is Node 20.19.0, and Node 24 is needed: .*npx vedette/),
  ]);
  expect(spawnSync(process.execPath, [command, "--version"], { encoding: "utf8" }).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("a reader that goes away before the end, as head does, is no fault", async () => {
  const child = spawn(process.execPath, [command, "model", "publish", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
  expect([code, said]).toEqual([0, ""]);
});
