/** Hands-free release from end to end: the commands, a real gate, and a control plane that lies where a test says so. */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import { expect, test, vi } from "vitest";
import { vedetteOf } from "../../test/commands.ts";
import { runCaptured } from "../../test/run-captured.ts";
import { signerSite } from "../../test/signer-site.ts";
import { trustOf } from "../../test/site.ts";
import { readKey } from "../publish/offline-keys.ts";
import { sign, versionOf, withVersion } from "../publish/trust-metadata.ts";

const offline = () => Promise.reject(new VedetteError("offline", "the line is cut"));

/** Each report runs the model twice, in processes of their own. */
vi.setConfig({ testTimeout: 180_000 });

test("[H7] what is proposed and passed the gate is signed by another process than the control plane, which has no key for it", async () => {
  const { propose, init: setUp, delegate, ops, site, folder, release, versions, actions } = await signerSite();
  const first = await propose("1h");
  expect(first).toMatchObject({ state: "waiting", version: 2 });
  const signer = await setUp("signer");

  // It is set up once, and only where all that it is to believe was said.
  const init = (...more: string[]) =>
    signer("signer", "init", "--model", "pump", ...more, "--gate-key", "0".repeat(64));
  const { rootSha256 } = await trustOf(site);
  expect(await init("--root", rootSha256 ?? "", "--any-proposer")).toMatchObject({
    code: 1,
    err: expect.stringContaining("signer's already"),
  });
  expect(await init("--root", rootSha256 ?? "")).toMatchObject({
    code: 1,
    err: expect.stringContaining("who may propose"),
  });
  const stranger = await vedetteOf(site, join(folder, "other"), { tokenFile: join(folder, "ops.token") })(
    ...["signer", "init", "--model", "pump", "--gate-key", "0".repeat(64), "--root", "0".repeat(64), "--any-proposer"],
  );
  expect(stranger).toMatchObject({ code: 2, err: expect.stringContaining("is it this site's") });

  // What it prints as next works as it stands, wherever it is typed.
  const told = ["--root", rootSha256 ?? "", "--gate-key", (await ops("gate", "key")).out.trim(), "--any-proposer"];
  const other = vedetteOf(site, join(folder, "a second one"), { tokenFile: join(folder, "signer.token") });
  const { out } = await other("signer", "init", "--model", "pump", "--name", "signer-b", ...told);
  const line = /^ {2}vedette (signer run .*)$/m.exec(out)?.[1] ?? "";
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
  const again = await runCaptured([...words, "--once"], { env: {}, now: Date.now });
  expect(again).toMatchObject({ code: 3, out: expect.stringContaining("may not sign") });

  // Nobody has said yet that its key counts.
  const early = await signer("signer", "run", "--once", "--json");
  expect(early).toMatchObject({ code: 3 });
  expect(early.json()).toMatchObject({
    events: [{ outcome: "refused", why: expect.stringContaining("may not sign") }],
  });
  expect(await release(first.id)).toMatchObject({ state: "refused", why: expect.stringContaining("keys rotate") });
  expect((await ops("release", "show", `${first.id}`)).out).toMatch(/is refused: .*may not sign project-pump/);
  expect(await versions()).toHaveLength(1);

  await delegate(["signer"], 1);
  const signed = await signer("signer", "run", "--once");
  expect(signed).toMatchObject({ code: 0, out: expect.stringMatching(/^signed release 1 \(version 2\)/) });
  expect(await release(first.id)).toMatchObject({ state: "released", version: 2, decidedBy: "signer" });
  expect((await versions()).map(({ digest }) => digest)[1]).toBe(first.digest);
  expect((await ops("release", "list")).out).toMatch(/1 +pump +2 +released/);
  expect((await signer("signer", "run", "--once")).out).toBe("Nothing to sign.\n");
  expect((await signer("signer", "status")).out).toMatch(/signed {5}version 2.*\nlast look .*: signed/);
  // A status that cannot be written hides nothing.
  const status = join(folder, "signer", "status.json");
  await rm(status);
  await mkdir(status);
  const untold = await signer("signer", "run", "--once");
  expect(untold).toMatchObject({ code: 0, out: "Nothing to sign.\n", err: expect.stringContaining("not up to date") });
  await rm(status, { recursive: true });
  expect(await actions()).toEqual(
    expect.arrayContaining([
      "ci release.propose",
      "control-plane gate.report",
      "signer release.refuse",
      "signer version.publish",
    ]),
  );
  // The operator goes on from what the signer signed.
  expect(await ops("keys", "sync")).toMatchObject({ code: 0, out: expect.stringMatching(/project-pump +3/) });
  expect(await ops("gate", "run", "--model", "pump", "--version", "2")).toMatchObject({ code: 0 });

  const secret = /-----BEGIN PRIVATE KEY-----\n(.+)\n/.exec(
    await readFile(join(folder, "signer", "keys", "signer.pem"), "utf8"),
  )?.[1] as string;
  for (const entry of await readdir(site.home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    expect((await readFile(join(entry.parentPath, entry.name))).toString("latin1").includes(secret)).toBe(false);
  }
  // Without the project's signature its own API publishes nothing, whoever asks.
  const second = await propose("2h");
  const standing = (await site.call("GET", "/v1/trust/metadata/project-pump.json")).body as string;
  for (const metadata of ["{}", standing, JSON.stringify({ ...JSON.parse(standing), signatures: [] })]) {
    const answer = await site.call("POST", `/v1/releases/${second.id}/signature`, { metadata });
    expect([400, 422]).toContain(answer.status);
  }
  expect(await versions()).toHaveLength(2);
});

test("[H10] [H12] a control plane that swaps a file, goes back, or lowers a floor gets no signature, and its operators are told", async () => {
  const { propose, init, delegate, ops, site, folder, open, release, versions } = await signerSite();
  const first = await propose("1h");
  const signer = await init("signer");
  await delegate(["signer"], 1);
  const why = async () => (await release(first.id)).why;

  const swapped = await open("signer", () => ({ blob: async () => new TextEncoder().encode("another model") }));
  expect(await swapped.look()).toMatchObject([{ outcome: "refused" }]);
  expect(await why()).toMatch(/chunk .* has 13 bytes, not the/);
  const sameLength = await open("signer", (honest) => ({
    async blob(sha256) {
      const bytes = await honest.blob(sha256);
      return bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
    },
  }));
  expect(await sameLength.look()).toMatchObject([{ outcome: "refused" }]);
  expect(await why()).toMatch(/chunk .* holds other bytes than its name says/);
  const lost = await open("signer", () => ({
    blob: () => Promise.reject(new VedetteError("not_found", "there is no blob")),
  }));
  expect(await lost.look()).toMatchObject([{ outcome: "refused" }]);
  // The manifest of another, under this one's name.
  const other = await propose("2h");
  const renamed = await open("signer", (honest) => ({
    release: async (id) => ({ ...(await honest.release(id)), digest: first.digest }),
  }));
  expect(await renamed.look()).toMatchObject([
    { outcome: "refused", why: expect.stringContaining("the manifest sent") },
  ]);

  // Honest again, it is signed. Then the control plane forgets that, as one restored from an old copy does.
  const served = async (file: string) => (await site.call("GET", `/v1/trust/metadata/${file}`)).body as string;
  const before = await served("project-pump.json");
  expect(await signer("signer", "run", "--once")).toMatchObject({ code: 0 });
  expect(await release(other.id)).toMatchObject({ state: "released", version: 2 });
  const third = await propose("3h");
  const looksAt = async (file: string, text?: string) =>
    open("signer", (honest) => ({
      metadata: async (asked) => (asked === file && text !== undefined ? text : honest.metadata(asked)),
      ...(text === undefined && { release: offline }),
    }));
  await expect((await looksAt("")).look()).rejects.toThrow("cut");
  const back = await looksAt("project-pump.json", before);
  expect(await back.look()).toMatchObject([{ outcome: "refused", why: expect.stringContaining("went back") }]);
  expect(await release(third.id)).toMatchObject({ state: "refused", why: expect.stringContaining("went back") });

  // Whoever stole the targets key lowers a floor: here it stays.
  expect(await ops("keys", "sync")).toMatchObject({ code: 0 });
  expect(await ops("model", "revoke", "--name", "pump", "--version", "1")).toMatchObject({ code: 0 });
  await expect((await looksAt("")).look()).rejects.toThrow("cut");
  const now = await served("targets.json");
  expect(now).toContain('"floors":{"pump":2}');
  const lowered = withVersion(now.replace('"pump":2', '"pump":1'), versionOf(now) + 1);
  const stolen = await readKey(join(folder, "ops", "keys"), "targets");
  const thief = await looksAt("targets.json", sign(lowered, [stolen]));
  expect(await thief.look()).toMatchObject([{ outcome: "refused", why: expect.stringContaining("floors only rise") }]);
  // A key that is delegated nothing signs no metadata at all.
  const nobody = await looksAt(
    "targets.json",
    sign(lowered, [await readKey(join(folder, "signer", "keys"), "signer")]),
  );
  expect(await nobody.look()).toMatchObject([{ outcome: "refused", why: expect.stringContaining("does not verify") }]);
  expect(await versions()).toHaveLength(2);
  // None of it stays: what is honest is signed.
  expect(await signer("signer", "run", "--once")).toMatchObject({ code: 0, out: expect.stringContaining("version 3") });
});

test("[H13] stopped at any step it loses nothing and signs nothing twice", async () => {
  const { propose, init, delegate, open, release, versions, folder, restart } = await signerSite();
  const first = await propose("1h");
  await init("signer");
  await delegate(["signer"], 1);
  const sent: string[] = [];
  // Cut before it is sent: it is on its disk, and nowhere else.
  const cut = await open("signer", () => ({
    signRelease(_id, text) {
      sent.push(text);
      return offline();
    },
  }));
  await expect(cut.look()).rejects.toThrow("the line is cut");
  expect(await versions()).toHaveLength(1);
  expect(await readdir(join(folder, "signer", "signed"))).toEqual(["2.json"]);
  // A newer one is proposed meanwhile: that would be another version 2, and only one is signed.
  const second = await propose("2h");
  const next = await open("signer");
  expect(await next.look()).toMatchObject([{ outcome: "refused", why: expect.stringContaining("has signed") }]);
  // Proposed again, the first is finished: the very text that was signed.
  await propose("1h");
  await restart();
  const lostAnswer = await open("signer", (honest) => ({
    async signRelease(id, text) {
      sent.push(text);
      await honest.signRelease(id, text);
      return offline();
    },
  }));
  await expect(lostAnswer.look()).rejects.toThrow("the line is cut");
  expect(sent).toHaveLength(2);
  expect(sent[1]).toBe(sent[0]);
  expect((await versions()).map(({ digest }) => digest)[1]).toBe(first.digest);
  const after = await open("signer");
  expect(await after.look()).toEqual([]);
  expect(await release(second.id)).toMatchObject({ state: "superseded" });
  // And on it goes.
  await propose("3h");
  expect(await after.look()).toMatchObject([{ outcome: "signed", version: 3 }]);
  expect(await versions()).toHaveLength(3);
});

test("[H13] two signers over one folder sign each version once, and the one that came late says what was the matter", async () => {
  const { propose, init, delegate, open, versions, folder, ops } = await signerSite();
  await propose("1h");
  await init("signer");
  await delegate(["signer"], 1);
  const both = [await open("signer"), await open("signer")];
  const looks = await Promise.allSettled(both.map((one) => one.look()));
  const late = looks.flatMap((one) => (one.status === "rejected" ? [one.reason as VedetteError] : []));
  for (const error of late) expect(error).toMatchObject({ code: "busy", message: expect.stringContaining(folder) });
  for (const one of both) expect(await one.look()).toEqual([]);
  expect(await versions()).toHaveLength(2);
  expect(await readdir(join(folder, "signer", "signed"))).toEqual(["2.json"]);
  // Whoever looks for the release finds by whom it came out.
  const { entries } = (await ops("audit", "list", "--subject", "release-1", "--json")).json() as { entries: object[] };
  expect(entries).toMatchObject([
    { actor: "signer", action: "release.publish", detail: { version: 2 } },
    { actor: "ci", action: "release.propose" },
  ]);
});

test("[H14] where a project takes two signatures, two signers have to judge alike, and one alone releases nothing", async () => {
  const { propose, init, delegate, open, release, versions, clock } = await signerSite();
  const first = await propose("1h");
  await init("one");
  await init("two");
  await delegate(["one", "two"], 2);
  const [one, two] = [await open("one"), await open("two")];
  expect(await one.look()).toMatchObject([{ outcome: "signed", why: expect.stringContaining("1 of 2 signatures") }]);
  expect(await one.look()).toEqual([]);
  expect(await versions()).toHaveLength(1);
  clock.advance(10_000);
  expect(await two.look()).toMatchObject([{ outcome: "signed", version: 2 }]);
  expect(await release(first.id)).toMatchObject({ state: "released" });
  expect(await versions()).toHaveLength(2);

  // What one of them began is not what the control plane hands the other.
  await propose("2h");
  await one.look();
  const tricked = await open("two", (honest) => ({
    async release(id) {
      const found = await honest.release(id);
      return { ...found, draft: found.draft?.replace(/"release":3/, '"release":4') ?? null };
    },
  }));
  expect(await tricked.look()).toMatchObject([{ outcome: "refused", why: expect.stringContaining("something else") }]);
  expect(await versions()).toHaveLength(2);
});

test("[H15] what it refuses it says once, where operators see it; it does not hammer, and looks again when something changes", async () => {
  const { propose, init, delegate, open, ops, release, actions, folder } = await signerSite();
  const failing = await propose("1h", "--latency-ms", "0.000001");
  expect(failing).toMatchObject({ state: "held", why: expect.stringContaining("latency") });
  const signer = await init("signer");
  await delegate(["signer"], 1);
  // The control plane does not even offer it; one that lies does, again and again.
  expect((await signer("signer", "run", "--once")).out).toBe("Nothing to sign.\n");
  let asked = 0;
  const lying = await open("signer", (honest) => ({
    async releases(query) {
      const found = await honest.releases(query);
      return { ...found, releases: found.releases.map((one) => ({ ...one, state: "waiting" as const })) };
    },
    release(id) {
      asked++;
      return honest.release(id);
    },
  }));
  expect(await lying.look()).toMatchObject([{ outcome: "refused", why: expect.stringContaining("latency.node-cpu") }]);
  for (let again = 0; again < 5; again++) expect(await lying.look()).toEqual([]);
  expect(asked).toBe(1);
  expect((await actions()).filter((one) => one === "signer release.refuse")).toHaveLength(1);

  // An override is an operator's word; this signer takes it only once it is told to.
  const override = [
    "gate",
    "override",
    "--model",
    "pump",
    "--version",
    "2",
    "--reason",
    "slow site",
    "--expires",
    "2h",
  ];
  expect(await ops(...override)).toMatchObject({ code: 0 });
  expect(await signer("signer", "run", "--once")).toMatchObject({
    code: 3,
    out: expect.stringContaining("does not accept"),
  });
  expect(await release(failing.id)).toMatchObject({ state: "refused" });
  expect(await signer("signer", "set", "--accept-overrides")).toMatchObject({ code: 0 });
  expect(await signer("signer", "run", "--once")).toMatchObject({ code: 0, out: expect.stringContaining("version 2") });

  // A control plane that is away is left alone for longer each time, and told once.
  const waits: number[] = [];
  let rounds = 0;
  let stop = () => {};
  const interrupted = () => new Promise<void>((resolve) => (stop = resolve));
  const pause = async (ms: number) => {
    waits.push(ms);
    if (++rounds > 60) stop();
  };
  const elsewhere = ["--home", join(folder, "signer"), "--url", "http://127.0.0.1:9", "--json"];
  const env = { VEDETTE_TOKEN: "nobody" };
  const away = await runCaptured(["signer", "run", ...elsewhere], { pause, interrupted, env });
  expect(JSON.parse(away.out)).toMatchObject({ outcome: "failed", code: "offline" });
  expect(waits.length).toBeGreaterThan(60);
});

test("[H15] a clock that was wrong holds up nothing once it is right: neither the gate's nor the signer's own", async () => {
  const { propose, init, delegate, open, release, versions, clock, actions, restart } = await signerSite();
  const first = await propose("1h");
  await init("signer");
  await delegate(["signer"], 1);
  const right = clock.now();

  // The gate's: its newest report is of a time to come.
  const checkedAt = async () => {
    const { at } = JSON.parse((await release(first.id)).report?.payload ?? "{}") as { at: string };
    return Date.parse(at);
  };
  const restartedAt = async (now: number) => {
    clock.set(now);
    await restart();
    await vi.waitFor(async () => {
      clock.advance(1_000);
      expect(Math.abs((await checkedAt()) - now)).toBeLessThan(600_000);
    }, 60_000);
    return open("signer");
  };
  const early = await restartedAt(right + 10 * 86_400_000);
  clock.set(right + 60_000);
  expect(await early.look()).toMatchObject([{ outcome: "refused", why: expect.stringContaining("yet to come") }]);
  expect(await early.look()).toEqual([]);
  const signer = await restartedAt(right + 60_000);
  expect(await signer.look()).toMatchObject([{ outcome: "signed", version: 2 }]);

  // Its own: what it refused is looked at again when it is right, though nothing of the offer changed.
  await propose("2h");
  clock.set(right - 86_400_000);
  expect(await signer.look()).toMatchObject([{ outcome: "refused", why: expect.stringContaining("yet to come") }]);
  const refusals = (await actions()).filter((one) => one === "signer release.refuse").length;
  for (let again = 0; again < 3; again++) expect(await signer.look()).toEqual([]);
  expect((await actions()).filter((one) => one === "signer release.refuse")).toHaveLength(refusals);
  clock.set(right + 120_000);
  expect(await signer.look()).toMatchObject([{ outcome: "signed", version: 3 }]);
  expect(await versions()).toHaveLength(3);
});
