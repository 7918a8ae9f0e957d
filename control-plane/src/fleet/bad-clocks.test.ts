/** Clocks that are wrong: a device's, by decades either way, and the control plane's own, that jumps ahead and back. */
import { deviceTokenAnswer } from "@vedette/protocol/api";
import { signedBytes } from "@vedette/protocol/signed";
import { expect, test } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { enroll, hello, initialiseTrust, publish, type Site, startSite, type TestDevice } from "../../test/site.ts";

const year = 365.25 * 86_400_000;
async function ready() {
  const site = await startSite();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [makeBundle("rain", "one")]);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  return { site, device: await enroll(site, "gauge-1") };
}
let asked = 0;
function ask(site: Site, { agent, key }: TestDevice, at: number) {
  const nonce = String(asked++).padStart(32, "0");
  const proof = key.sign(signedBytes("device-token", `${agent}.${at}.${nonce}`));
  return site.call("POST", "/v1/device-token", { agent, at, nonce, proof });
}
const tokenAt = async (site: Site, device: TestDevice) =>
  deviceTokenAnswer.parse((await ask(site, device, site.clock.now())).body).token;
const expiresOf = async (site: Site, file: string) => {
  const text = await site.fleet.answer("gauge-1", { id: "0".repeat(16), kind: "metadata", file });
  return Date.parse(JSON.parse(text).signed.expires);
};

test.each([
  ["1970", Date.UTC(1970, 0, 1)],
  ["2099", Date.UTC(2099, 0, 1)],
])("[R25] a device that believes it is %s is told the time, and gets its token by that", async (_, at) => {
  const { site, device } = await ready();
  const refused = await ask(site, device, at);
  expect(refused).toMatchObject({ status: 422, body: { error: { code: "expired" } } });
  const told = /the control plane says ([0-9]+)/.exec(JSON.stringify(refused.body))?.[1];
  expect(await ask(site, device, Number(told))).toMatchObject({ status: 200 });
});

test("[R25] a login given while the control plane's clock was ahead does not outlive its hour", async () => {
  const { site, device } = await ready();
  site.clock.advance(73 * year);
  const token = await tokenAt(site, device);
  expect(await site.fleet.authenticate("gauge-1", token)).toBeGreaterThan(site.clock.now());
  site.clock.advance(-73 * year);
  expect(await site.fleet.authenticate("gauge-1", token)).toBeUndefined();
  const honest = await tokenAt(site, device);
  expect(await site.fleet.authenticate("gauge-1", honest)).toBe(Math.floor(site.clock.now() / 1000) * 1000 + 3_600_000);
  // Set back by less than a minute, as clocks are: nobody has to log in anew.
  site.clock.advance(-30_000);
  expect(await site.fleet.authenticate("gauge-1", honest)).toBeDefined();
});

test("[R25] what was signed online while the clock was ahead is signed anew, and no number goes back", async () => {
  const { site } = await ready();
  const before = await hello(site, "gauge-1");
  site.clock.advance(73 * year);
  const ahead = await expiresOf(site, "timestamp.json");
  const then = await hello(site, "gauge-1", { rev: before.assignment?.rev ?? 0 });
  site.clock.advance(-73 * year);
  const now = await expiresOf(site, "timestamp.json");
  expect(ahead - now).toBeGreaterThan(72 * year);
  expect(now - site.clock.now()).toBeLessThanOrEqual(86_400_000);
  const after = await hello(site, "gauge-1", { rev: then.assignment?.rev ?? 0 });
  expect(after.assignment?.rev).toBeGreaterThanOrEqual(then.assignment?.rev ?? 0);
  expect(after.assignment?.issued).toBe(site.clock.now());
});
