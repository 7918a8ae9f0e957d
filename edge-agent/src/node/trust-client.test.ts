import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf } from "@vedette/protocol/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeKey, TestRepository } from "../../test/node/tuf-repository.ts";
import { createTrustClient } from "../core/verify/trust-client.ts";
import { openFsStorage } from "./fs-storage.ts";
import { nodeCrypto } from "./node-crypto.ts";

const now = Date.UTC(2026, 10, 23);
const day = 86_400_000;
const manifest = Buffer.from('{"model":"rain"}');
const digest = createHash("sha256").update(manifest).digest("hex");
let home: string;
let repository: TestRepository;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-trust-"));
  repository = new TestRepository(now);
  repository.state.targets.push({
    path: `rain/${digest}.json`,
    bytes: manifest,
    custom: { model: "rain", release: 7 },
  });
  repository.publish();
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** A client as after a restart: all it knows is on disk. */
async function client() {
  const storage = await openFsStorage(join(home, "store"));
  return createTrustClient({ storage, crypto: nodeCrypto, pinnedRoot: repository.firstRoot });
}
const refresh = async (at = now) => (await client()).refresh(repository.fetch, at);
const refused = (work: Promise<unknown>) => work.then(() => "accepted", codeOf);

test("a good repository gives the director, the floors and the release of a signed manifest", async () => {
  const trusted = await refresh();
  expect(trusted.extension.floors).toEqual({ rain: 2 });
  expect(Object.values(trusted.extension.director.keys)).toEqual([repository.director.publicHex]);
  expect(await trusted.release("rain", digest, manifest.length)).toBe(7);
});

test("[S5] a manifest that was not signed as such is refused by name, digest and length", async () => {
  const trusted = await refresh();
  expect(await refused(trusted.release("rain", "0".repeat(64), manifest.length))).toBe("unknown_target");
  expect(await refused(trusted.release("snow", digest, manifest.length))).toBe("unknown_target");
  expect(await refused(trusted.release("rain", digest, manifest.length + 1))).toBe("length_mismatch");
});

test("a target whose path names another digest than the one signed is refused", async () => {
  repository.state.targets = [
    { path: `rain/${digest}.json`, bytes: Buffer.from("other"), custom: { model: "rain", release: 7 } },
  ];
  repository.publish();
  expect(await refused((await refresh()).release("rain", digest, manifest.length))).toBe("digest_mismatch");
});

test("nothing but what changed is fetched again, over restarts", async () => {
  await (await refresh()).release("rain", digest, manifest.length);
  repository.asked.length = 0;
  expect(await (await refresh()).release("rain", digest, manifest.length)).toBe(7);
  expect(repository.asked).toEqual(["2.root.json", "timestamp.json"]);
});

test.each(["timestamp", "snapshot", "targets"] as const)(
  "an expired %s is refused by the reference time",
  async (role) => {
    repository.state.expires[role] = -1000;
    repository.publish();
    expect(await refused(refresh())).toBe("expired");
  },
);

test("the reference time decides, not the device's clock", async () => {
  expect(await refused(refresh(now + 2 * day))).toBe("expired");
  await refresh(now);
});

test("an expired project role is refused when it is needed", async () => {
  repository.state.expires.project = -1000;
  repository.publish();
  expect(await refused((await refresh()).release("rain", digest, manifest.length))).toBe("expired");
});

test("[S9] older metadata replayed is a rollback, and what was trusted stays", async () => {
  const old = new Map(repository.files);
  repository.next();
  const trust = await client();
  const trusted = await trust.refresh(repository.fetch, now);
  const replay = async (file: string) => old.get(file);
  expect(await refused(trust.refresh(replay, now))).toBe("rollback");
  expect(await trusted.release("rain", digest, manifest.length)).toBe(7);
});

test.each([
  ["truncated", (path: string) => truncate(path, 40)],
  ["emptied", (path: string) => truncate(path, 0)],
  ["removed", (path: string) => rm(path)],
])("local metadata %s is fetched again, and lets no older in", async (_, damage) => {
  const old = new Map(repository.files);
  repository.next();
  await refresh();
  for (const file of ["timestamp", "snapshot", "targets"]) await damage(join(home, `store/trust/${file}.json`));
  expect(await refused((await client()).refresh(async (file) => old.get(file), now))).toBe("rollback");
  expect(await (await refresh()).release("rain", digest, manifest.length)).toBe(7);
});

test("[S9] versions damaged are rebuilt from the metadata kept, which still lets no older in", async () => {
  const old = new Map(repository.files);
  repository.next();
  await refresh();
  await writeFile(join(home, "store/trust/versions.json"), "{");
  expect(await refused((await client()).refresh(async (file) => old.get(file), now))).toBe("rollback");
  await refresh();
  expect(JSON.parse(await readFile(join(home, "store/trust/versions.json"), "utf8")).timestamp).toBe(2);
  await writeFile(join(home, "store/trust/versions.json"), "{");
  await writeFile(join(home, "store/trust/timestamp.json"), "{");
  expect(await refused(refresh())).toBe("storage_failed");
});

test("[S9] a snapshot that lists an older project role is a rollback", async () => {
  repository.next();
  await refresh();
  repository.state.versions.timestamp += 1;
  repository.state.versions.snapshot += 1;
  repository.state.versions.project = 1;
  repository.publish();
  expect(await refused(refresh())).toBe("rollback");
});

test.each(["timestamp", "snapshot", "targets"] as const)(
  "%s signed by a stranger, by nobody or tampered with is refused",
  async (role) => {
    const file = role === "timestamp" ? "timestamp.json" : `1.${role}.json`;
    const good = repository.files.get(file) ?? "";
    repository.publish({ [role]: [makeKey()] });
    expect(await refused(refresh())).toBe("bad_signature");
    repository.publish({ [role]: [] });
    expect(await refused(refresh())).toBe("unsigned");
    repository.files.set(file, good.replace("2026", "2027").replace("2027-02", "2028-02"));
    expect(await refused(refresh())).toBe("bad_signature");
    repository.files.set(file, good.slice(0, 60));
    expect(await refused(refresh())).toBe("invalid_metadata");
  },
);

test("[S10] endless metadata is refused before it is parsed", async () => {
  repository.files.set("timestamp.json", `${repository.files.get("timestamp.json")}${" ".repeat(20_000)}`);
  expect(await refused(refresh())).toBe("invalid_metadata");
});

test("[S11] a root chain is followed, and a root not signed by the one before is refused", async () => {
  await refresh();
  repository.rotateOnlineKey();
  repository.next();
  await refresh();
  repository.rootVersion += 1;
  repository.files.set("3.root.json", repository.root([makeKey()]));
  expect(await refused(refresh())).toBe("bad_signature");
});

test("new online keys end the counting of a thief who signed enormous versions", async () => {
  repository.state.versions.timestamp = 2 ** 40;
  repository.publish();
  await refresh();
  repository.state.versions.timestamp = 2;
  repository.publish();
  expect(await refused(refresh())).toBe("rollback");
  repository.rotateOnlineKey();
  repository.publish();
  expect(await refused(refresh())).toBe("accepted");
});

test("a failing network is said as it is, and only a missing root ends the root chain", async () => {
  const { VedetteError } = await import("@vedette/protocol/errors");
  const offline = () => Promise.reject(new VedetteError("offline", "no network"));
  expect(await refused((await client()).refresh(offline, now))).toBe("offline");
});
