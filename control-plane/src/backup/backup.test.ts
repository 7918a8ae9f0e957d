/** Backup and restore with real files: what is in it, what is refused, and that a restored control plane goes on. */
import { createHash } from "node:crypto";
import { appendFile, copyFile, mkdir, open, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { trustState } from "@vedette/protocol/api";
import { predictionCounts } from "@vedette/protocol/records-api";
import Database from "better-sqlite3";
import { extract, pack } from "tar-stream";
import { expect, test } from "vitest";
import { testFolder } from "../../test/batches.ts";
import { makeBundle } from "../../test/bundle.ts";
import { vedetteOf } from "../../test/commands.ts";
import { makeKey } from "../../test/operator.ts";
import { type RecordsSite, startRecordsSite } from "../../test/records-site.ts";
import { enroll, enrollBody, initialiseTrust, makeToken, publish, trustOf } from "../../test/site.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import { readBackup } from "./read-backup.ts";
import { restoreBackup } from "./restore-backup.ts";
import { openSecrets, sealSecrets } from "./seal-secrets.ts";

const passphrase = "correct horse battery";

async function backup(site: RecordsSite, secret: string | null = passphrase): Promise<string> {
  const token = (await readFile(join(site.home, "operator.token"), "utf8")).trim();
  const answer = await fetch(new URL("/v1/backup", site.url), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ passphrase: secret }),
  });
  expect(answer.status).toBe(200);
  const file = join(testFolder(), "site.backup");
  await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
  return file;
}

async function full(): Promise<RecordsSite> {
  const site = await startRecordsSite();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [makeBundle("rain", "one")]);
  await enroll(site, "dev");
  await site.take({ seq: 0 }, { seq: 1 }, { seq: 0, stream: "snow" });
  return site;
}

const counted = async (site: RecordsSite) =>
  predictionCounts
    .parse((await site.call("GET", "/v1/predictions/counts")).body)
    .models.map(({ model, numbered, missing }) => ({ model, numbered, missing }));

test("[N27] a backup taken while all goes on restores to the same site: versions, devices, keys, every row", async () => {
  const site = await full();
  await site.call("POST", "/v1/predictions/flush");
  await site.take({ seq: 2 }); // still in the inbox
  const file = await backup(site);
  await site.take({ seq: 3 });
  const { files } = await readBackup(file);
  expect(files.map(({ path }) => path.split("/")[0])).toContain("secrets.sealed");
  const home = join(testFolder(), "home");
  await mkdir(join(home, "keys"), { recursive: true });
  const restored = await restoreBackup({ file, home, now: Date.now(), passphrase });
  expect(restored).toMatchObject({ site: "test", keys: true, files: files.length });
  expect((await readdir(home)).sort()).toEqual(["data", "keys", "operator.token"]);
  expect((await stat(join(home, "operator.token"))).mode & 0o777).toBe(0o600);

  const again = await startRecordsSite({ home });
  const trust = await trustOf(site);
  const anew = { snapshot: expect.any(Number), timestamp: expect.any(Number) };
  expect(await trustOf(again)).toEqual({ ...trust, versions: { ...trust.versions, ...anew } });
  const authority = (of: string) => readFile(join(of, "data", "site-authority", "ca.crt"), "utf8");
  expect(await authority(home)).toBe(await authority(site.home));
  const tokenFile = testFolder();
  await copyFile(join(home, "operator.token"), join(tokenFile, "operator.token"));
  expect(await vedetteOf(again, tokenFile)("audit", "verify")).toMatchObject({ code: 0 });
  expect((await vedetteOf(again, tokenFile)("audit", "list")).out).toContain("backup.restore");
  expect((await again.call("GET", "/v1/devices")).body).toMatchObject({ devices: [{ agent: "dev" }] });
  expect((await again.call("GET", "/v1/models")).body).toEqual((await site.call("GET", "/v1/models")).body);
  expect(await counted(again)).toEqual([
    { model: "rain", numbered: 9, missing: [] },
    { model: "snow", numbered: 3, missing: [] },
  ]);
  // What was stored after the backup comes again where it still is, and is stored once; it may also never come.
  await again.take({ seq: 2 }, { seq: 4 });
  expect(await counted(again)).toMatchObject([{ model: "rain", numbered: 15 }, { model: "snow" }]);
  expect(await readdir(join(site.home, "data", "backup-drafts"))).toEqual([]);
});

test("a key that waits for the metadata that name it is in the backup: they may be signed after the restore", async () => {
  const site = await full();
  const rotated = await site.call("POST", "/v1/trust/online-keys", { role: "director" });
  const { next } = trustState.parse(rotated.body);
  expect(next?.director).toMatch(/^[0-9a-f]{64}$/);
  const file = await backup(site);
  const home = join(testFolder(), "home");
  await restoreBackup({ file, home, now: site.clock.now(), passphrase });
  expect((await trustOf(await startRecordsSite({ home }))).next).toEqual(next);
});

test("enrolment tokens of before the backup are void: one that was used since would be good again", async () => {
  const site = await full();
  const { token } = await makeToken(site);
  const file = await backup(site);
  const home = join(testFolder(), "home");
  await restoreBackup({ file, home, now: site.clock.now(), passphrase });
  const again = await startRecordsSite({ home });
  const joined = await again.call("POST", "/v1/enroll", enrollBody(token, { agent: "late", key: makeKey() }));
  expect(joined).toMatchObject({ status: 403, body: { error: { message: expect.stringContaining("expired") } } });
});

test("snapshot and timestamp are made anew, in versions of the restore: devices may have seen later ones", async () => {
  const site = await full();
  const file = await backup(site);
  const home = join(testFolder(), "home");
  await restoreBackup({ file, home, now: site.clock.now(), passphrase });
  const again = await startRecordsSite({ home });
  for (const role of ["snapshot", "timestamp"]) {
    const before = (await trustOf(site)).versions[role] ?? 0;
    const after = (await trustOf(again)).versions[role] ?? 0;
    expect(after, role).toBeGreaterThan(before);
    const text = await again.fleet.answer("dev", { id: "0".repeat(16), kind: "metadata", file: `${role}.json` });
    expect(JSON.parse(text)).toMatchObject({ signatures: [{ sig: expect.any(String) }], signed: { version: after } });
  }
});

test("[N28] a backup that was changed, cut or mixed up is refused, and nothing that starts is left", async () => {
  const site = await full();
  const good = await readFile(await backup(site));
  const bad = async (name: string, change: (path: string) => Promise<void>) => {
    const file = join(testFolder(), name);
    await writeFile(file, good);
    await change(file);
    const home = join(testFolder(), "home");
    const restoring = restoreBackup({ file, home, now: 1, passphrase });
    await expect(restoring, name).rejects.toMatchObject({
      code: expect.stringMatching(/digest_mismatch|length_mismatch|invalid_argument/),
    });
    expect(await readdir(home)).toEqual([]);
  };
  for (const at of [0.2, 0.5, 0.9]) {
    await bad(`byte at ${at}`, async (path) => {
      const file = await open(path, "r+");
      const place = Math.floor(good.length * at);
      await file.write(Buffer.from([(good[place] ?? 0) ^ 0xff]), 0, 1, place);
      await file.close();
    });
    await bad(`cut at ${at}`, (path) => truncate(path, Math.floor(good.length * at)));
  }
  await bad("no tar", (path) => writeFile(path, "hello"));
  await bad("empty", (path) => writeFile(path, ""));
  await bad("escaping", async (path) => {
    const tar = pack();
    const files = [{ path: "../../etc/cron.d/x", bytes: 1, sha256: "0".repeat(64) }];
    tar.entry({ name: "manifest.json" }, JSON.stringify({ v: 1, site: "test", at: 1, files }));
    tar.entry({ name: "../../etc/cron.d/x" }, "x");
    tar.finalize();
    const parts: Buffer[] = [];
    for await (const part of tar) parts.push(part as Buffer);
    await writeFile(path, Buffer.concat(parts));
  });
});

test("[S60] a backup that somebody without its passphrase changed and hashed anew is not restored", async () => {
  const site = await full();
  const file = await backup(site);
  const entries = new Map<string, Buffer>();
  const reading = extract();
  reading.end(await readFile(file));
  for await (const entry of reading) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    entries.set(entry.header.name, Buffer.concat(parts));
  }
  const draft = join(testFolder(), "vedette.db");
  await writeFile(draft, entries.get("vedette.db") ?? "");
  const db = new Database(draft);
  db.prepare("UPDATE operators SET token_sha256 = ?").run("00".repeat(32));
  db.close();
  entries.set("vedette.db", await readFile(draft));
  const manifest = JSON.parse(String(entries.get("manifest.json"))) as BackupManifest;
  for (const one of manifest.files) {
    const bytes = entries.get(one.path) ?? Buffer.alloc(0);
    Object.assign(one, { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  entries.set("manifest.json", Buffer.from(JSON.stringify(manifest)));
  const tar = pack();
  for (const [name, bytes] of entries) tar.entry({ name }, bytes);
  tar.finalize();
  const forged = join(testFolder(), "forged.backup");
  const bytes: Buffer[] = [];
  for await (const part of tar) bytes.push(part as Buffer);
  await writeFile(forged, Buffer.concat(bytes));
  expect(await readBackup(forged)).toMatchObject({ site: "test" });
  const home = join(testFolder(), "home");
  const restoring = restoreBackup({ file: forged, home, now: 1, passphrase });
  await expect(restoring).rejects.toMatchObject({ code: "forbidden", message: expect.stringContaining("changed") });
  expect(await readdir(home)).toEqual([]);
});

test("a home that holds anything is refused; so is another passphrase, and none where none was said", async () => {
  const site = await full();
  const file = await backup(site);
  const home = testFolder();
  await appendFile(join(home, "something"), "");
  await expect(restoreBackup({ file, home, now: 1, passphrase })).rejects.toMatchObject({ code: "conflict" });
  const empty = testFolder();
  const wrong = restoreBackup({ file, home: empty, now: 1, passphrase: "another passphrase" });
  await expect(wrong).rejects.toMatchObject({ code: "forbidden" });
  expect(await readdir(empty)).toEqual([]);
  expect(await restoreBackup({ file, home: empty, now: 1, passphrase: null })).toMatchObject({ keys: false });
  expect(await readdir(join(empty, "data"))).not.toContain("online-keys");
  const bare = await backup(site, null);
  expect((await readBackup(bare)).files.map(({ path }) => path)).not.toContain("secrets.sealed");
  const text = (await readFile(bare)).toString("latin1");
  expect(text).not.toContain("PRIVATE KEY");
  expect((await readFile(file)).toString("latin1")).not.toContain("PRIVATE KEY");
});

test("secrets open with their passphrase alone, and not once a byte is changed", async () => {
  const plain = { "operator.token": "t", "online-keys/director.pem": "k" };
  const sealed = await sealSecrets(plain, passphrase, Buffer.from("a"));
  const open = (passphrase: string, belongsTo = "a") => openSecrets(sealed, passphrase, Buffer.from(belongsTo));
  expect(await open(passphrase)).toEqual(plain);
  await expect(open(passphrase, "b")).rejects.toMatchObject({ code: "forbidden" });
  await expect(open(`${passphrase}s`)).rejects.toMatchObject({ code: "forbidden" });
  sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
  await expect(open(passphrase)).rejects.toMatchObject({ code: "forbidden" });
  await expect(openSecrets(Buffer.from("no"), passphrase, Buffer.from("a"))).rejects.toMatchObject({
    code: "unsupported",
  });
});
