import { copyFile, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { trustState } from "@vedette/protocol/api";
import { openSigned } from "@vedette/protocol/signed";
import { expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { makeKey } from "../../test/operator.ts";
import { enroll, hello, initialiseTrust, publish, type Site, startSite, trustOf } from "../../test/site.ts";
import { verifyEd25519 } from "../verify-ed25519.ts";

const put = (site: Site, ...metadata: { role: string; text: string }[]) =>
  site.call("PUT", "/v1/trust/metadata", { metadata });
const stage = async (site: Site, role: string) =>
  trustState.parse((await site.call("POST", "/v1/trust/online-keys", { role })).body).next ?? {};
/** Whether the assignment that a device gets is signed by a key. */
async function directs(site: Site, publicKey: string): Promise<boolean> {
  const { answer } = await hello(site, "gauge-1");
  if (!answer.assignment) throw new Error("no assignment");
  const keyid = answer.assignment.signatures[0]?.keyid ?? "";
  const verify = async (key: string, message: Uint8Array, sig: string) => verifyEd25519(key, message, sig);
  return openSigned("assignment", answer.assignment, { keys: { [keyid]: publicKey }, threshold: 1 }, verify).then(
    () => true,
    () => false,
  );
}
async function ready() {
  const site = await startSite();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [makeBundle("rain", "one")]);
  await enroll(site, "gauge-1");
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  return { site, operator, old: (await trustOf(site)).online.director };
}

test("[S20] a staged director counts once signed targets name it; then at once, for all, and the old key is gone", async () => {
  const { site, operator, old } = await ready();
  const { director = "" } = await stage(site, "director");
  expect(await directs(site, old)).toBe(true);
  // Asked for twice, as after a lost answer: the same key waits.
  expect((await stage(site, "director")).director).toBe(director);
  const stranger = operator.targets({ version: 3, models: ["rain"], director: makeKey().publicKeyHex });
  expect(await put(site, stranger)).toMatchObject({ status: 400 });
  const hints = site.hints.length;
  expect(await put(site, operator.targets({ version: 3, models: ["rain"], director }))).toMatchObject({ status: 200 });
  expect(site.hints.slice(hints)).toMatchObject([{ agent: "gauge-1" }]);
  expect([await directs(site, old), await directs(site, director)]).toEqual([false, true]);
  expect(await trustOf(site)).toMatchObject({ online: { director }, next: {} });
  expect(await readdir(join(site.home, "data", "online-keys"))).not.toContain("director.next.pem");
});

test("[S20] killed between the metadata and the key file, the next start signs with the key that is named", async () => {
  const { site, operator } = await ready();
  const folder = join(site.home, "data", "online-keys");
  await copyFile(join(folder, "director.pem"), join(folder, "kept"));
  const { director = "" } = await stage(site, "director");
  await put(site, operator.targets({ version: 3, models: ["rain"], director }));
  await site.close();
  await rename(join(folder, "director.pem"), join(folder, "director.next.pem"));
  await rename(join(folder, "kept"), join(folder, "director.pem"));
  const again = await startSite({ home: site.home, clock: site.clock });
  expect(await directs(again, director)).toBe(true);
  expect(await readFile(join(folder, "director.pem"), "utf8")).toContain("PRIVATE");
});

test("[S20] a new timestamp key signs from the root on that names it, under higher numbers", async () => {
  const { site, operator } = await ready();
  const before = await trustOf(site);
  const { timestamp = "" } = await stage(site, "timestamp");
  const root = operator.root({ version: 2, online: { ...before.online, timestamp } });
  expect(await put(site, root)).toMatchObject({ status: 200, body: { online: { timestamp } } });
  expect((await trustOf(site)).versions.timestamp).toBeGreaterThan(before.versions.timestamp ?? 0);
});

test("[S20] new device-token keys end every login that was given", async () => {
  const { site } = await ready();
  const { online } = await trustOf(site);
  expect(await site.call("POST", "/v1/trust/online-keys", { role: "device-tokens" })).toMatchObject({ status: 200 });
  expect((await trustOf(site)).online).toEqual(online);
  const { body } = await site.call("GET", "/v1/audit?action=online_key.rotate");
  expect(body).toMatchObject({ entries: [{ subject: "device-tokens", actor: "admin" }] });
});
