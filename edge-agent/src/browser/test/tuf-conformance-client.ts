/**
 * The agent's TUF client behind the command line of the tuf-conformance suite (its CLIENT-CLI.md): the verifier is the one
 * that ships, this file only brings files and HTTP. `--platform` chooses whose cryptography it runs on.
 */
import { copyFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fromUtf8 } from "@vedette/protocol/bytes";
import { messageOf } from "@vedette/protocol/errors";
import type { Storage } from "../../core/ports.ts";
import type { Target } from "../../core/verify/metadata.ts";
import { refreshMetadata } from "../../core/verify/tuf-client.ts";
import { openFsStorage } from "../../node/fs-storage.ts";
import { nodeCrypto } from "../../node/node-crypto.ts";
import { webCrypto } from "../web-crypto.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    platform: { type: "string", default: "node" },
    "metadata-dir": { type: "string" },
    "metadata-url": { type: "string" },
    "target-name": { type: "string", multiple: true, default: [] },
    "target-base-url": { type: "string" },
    "target-dir": { type: "string" },
  },
});
const given = (name: "metadata-dir" | "metadata-url" | "target-base-url" | "target-dir"): string => {
  const value = values[name];
  if (value === undefined) throw new Error(`--${name} is missing`);
  return value;
};
const crypto = values.platform === "browser" ? webCrypto : nodeCrypto;

async function init(trustedRoot: string): Promise<void> {
  const folder = given("metadata-dir");
  await mkdir(folder, { recursive: true });
  await copyFile(trustedRoot, join(folder, "root.json"));
}

async function refresh() {
  const folder = given("metadata-dir");
  const base = given("metadata-url").replace(/\/?$/, "/");
  const pinnedRoot = await readFile(join(folder, "root.json"), "utf8");
  /** Role files by what is in them: the suite looks for a delegated role under its own name. */
  const nameOf = new Map<string, string>();
  const fetchText = async (file: string) => {
    const answer = await fetch(`${base}${file}`);
    if (answer.status === 404 || answer.status === 403) return undefined;
    if (!answer.ok) throw new Error(`${file}: HTTP ${answer.status}`);
    const text = await answer.text();
    nameOf.set(text, file.replace(/^[0-9]+\./, ""));
    return text;
  };
  const kept = await openFsStorage(`${folder}.kept`);
  const storage: Storage = {
    ...kept,
    async write(path, bytes) {
      await kept.write(path, bytes);
      const name = path.slice(path.lastIndexOf("/") + 1);
      if (name === "versions.json") return;
      const text = fromUtf8(new Uint8Array(bytes));
      await writeFile(join(folder, name.startsWith("role-") ? (nameOf.get(text) ?? name) : name), text);
    },
  };
  const trusted = await refreshMetadata({
    storage,
    crypto,
    pinnedRoot,
    folder: "trust",
    fetch: fetchText,
    referenceTime: Date.now(),
  });
  const { signed } = JSON.parse(await readFile(join(folder, "root.json"), "utf8"));
  return { trusted, consistent: signed.consistent_snapshot as boolean };
}

async function download(): Promise<void> {
  const { trusted, consistent } = await refresh();
  const base = given("target-base-url").replace(/\/?$/, "/");
  for (const path of values["target-name"]) {
    const target = await trusted.find(path);
    if (!target) throw new Error(`${path} is in no signed metadata`);
    const local = join(given("target-dir"), encodeURIComponent(path));
    if (await holds(local, target)) continue;
    const slash = path.lastIndexOf("/") + 1;
    const remote = consistent
      ? `${path.slice(0, slash)}${target.hashes.sha256 ?? target.hashes.sha512}.${path.slice(slash)}`
      : path;
    const answer = await fetch(`${base}${remote.split("/").map(encodeURIComponent).join("/")}`);
    if (!answer.ok) throw new Error(`${remote}: HTTP ${answer.status}`);
    await writeFile(local, await bytesUpTo(answer, target.length));
    if (!(await holds(local, target))) {
      await writeFile(local, "");
      throw new Error(`${path} is not the file that was signed`);
    }
  }
}

async function bytesUpTo(answer: Response, limit: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes.length > limit) throw new Error(`${answer.url} is longer than the ${limit} bytes signed`);
  return bytes;
}

async function holds(path: string, target: Target): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.size !== target.length) return false;
  const bytes = new Uint8Array(await readFile(path));
  const { sha256, sha512 } = target.hashes;
  return sha256 ? (await crypto.sha256(bytes)) === sha256 : (await crypto.sha512?.(bytes)) === sha512;
}

const [command, argument] = positionals;
try {
  if (command === "init" && argument) await init(argument);
  else if (command === "refresh") await refresh();
  else if (command === "download") await download();
  else throw new Error(`unknown command ${command}`);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
