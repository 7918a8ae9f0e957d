import { deviceTokenAnswer } from "@vedette/protocol/api";
import { signedBytes } from "@vedette/protocol/signed";
import { expect, test } from "vitest";
import { makeKey } from "../../test/operator.ts";
import {
  enroll,
  enrollBody,
  initialiseTrust,
  makeToken,
  type Site,
  startSite,
  type TestDevice,
} from "../../test/site.ts";

const refused = (code: string) => ({ body: { error: { code } } });
async function ready(): Promise<Site> {
  const site = await startSite();
  await initialiseTrust(site);
  return site;
}
function tokenBody({ agent, key }: TestDevice, at: number, nonce = "ab".repeat(16)) {
  return { agent, at, nonce, proof: key.sign(signedBytes("device-token", `${agent}.${at}.${nonce}`)) };
}

test("[R4] a token's last use goes to one of those who ask at once", async () => {
  const site = await ready();
  const { token } = await makeToken(site, { uses: 3 });
  const devices = Array.from({ length: 12 }, (_, i) => ({ agent: `gauge-${i}`, key: makeKey() }));
  const answers = await Promise.all(
    devices.map((device) => site.call("POST", "/v1/enroll", enrollBody(token, device))),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
  const rest = answers.filter(({ status }) => status !== 200);
  for (const answer of rest) expect(answer).toMatchObject({ status: 403, ...refused("invalid_token") });
  const list = await site.call("GET", "/v1/devices");
  expect(list.body).toMatchObject({ devices: [{}, {}, {}] });
});

test("a device whose answer was lost asks again and uses nothing; another key is refused", async () => {
  const site = await ready();
  const { token } = await makeToken(site, { labels: { city: "seattle" } });
  const device = { agent: "gauge-1", key: makeKey() };
  const first = await site.call("POST", "/v1/enroll", enrollBody(token, device));
  expect(first).toMatchObject({ status: 200, body: { agent: "gauge-1", labels: { city: "seattle" } } });
  const { certificate: _, ...same } = first.body as Record<string, unknown>;
  expect(await site.call("POST", "/v1/enroll", enrollBody(token, device))).toMatchObject({ status: 200, body: same });
  const { token: other } = await makeToken(site);
  const thief = { agent: "gauge-1", key: makeKey() };
  expect(await site.call("POST", "/v1/enroll", enrollBody(other, thief))).toMatchObject(refused("conflict"));
  const honest = { agent: "gauge-2", key: makeKey() };
  expect(await site.call("POST", "/v1/enroll", enrollBody(other, honest))).toMatchObject({ status: 200 });
});

test("what a device does is not taken for an operator's of the same name", async () => {
  const site = await ready();
  const { token } = await makeToken(site);
  await site.call("POST", "/v1/enroll", enrollBody(token, { agent: "admin", key: makeKey() }));
  const { body } = await site.call("GET", "/v1/audit?action=device.enroll");
  expect(body).toMatchObject({ entries: [{ actor: "device admin", subject: "admin" }] });
});

test("expired and unknown tokens, and a key that is not the device's", async () => {
  const site = await ready();
  const { token } = await makeToken(site, { ttlSeconds: 60 });
  const device = { agent: "gauge-1", key: makeKey() };
  const forged = { ...enrollBody(token, device), publicKey: makeKey().publicKeyHex };
  expect(await site.call("POST", "/v1/enroll", forged)).toMatchObject(refused("bad_signature"));
  const secret = "0".repeat(64);
  const invented = Buffer.from(JSON.stringify({ url: site.url, site: "test", secret, rootSha256: secret })).toString(
    "base64url",
  );
  expect(await site.call("POST", "/v1/enroll", enrollBody(invented, device))).toMatchObject(refused("invalid_token"));
  site.clock.advance(60_000);
  expect(await site.call("POST", "/v1/enroll", enrollBody(token, device))).toMatchObject(refused("invalid_token"));
});

test("a device token is the broker's password for one hour, for its device only, also after a restart", async () => {
  const site = await ready();
  const device = await enroll(site, "gauge-1");
  await enroll(site, "gauge-2");
  const now = site.clock.now();
  const { token, expiresAt, mqttUrl } = deviceTokenAnswer.parse(
    (await site.call("POST", "/v1/device-token", tokenBody(device, now))).body,
  );
  expect(mqttUrl).toBe("mqtt://127.0.0.1:1883");
  expect(await site.fleet.authenticate("gauge-1", token)).toBe(Date.parse(expiresAt));
  expect(await site.fleet.authenticate("gauge-2", token)).toBeUndefined();
  expect(await site.fleet.authenticate("gauge-1", `${token.slice(0, -4)}AAAA`)).toBeUndefined();
  expect(await site.fleet.authenticate("gauge-1", "")).toBeUndefined();
  await site.close();
  const again = await startSite({ home: site.home, clock: site.clock });
  expect(await again.fleet.authenticate("gauge-1", token)).toBe(Date.parse(expiresAt));
  again.clock.advance(3_600_001);
  expect(await again.fleet.authenticate("gauge-1", token)).toBeUndefined();
});

test("[R5] a device token is refused to another key, a replay and a wrong clock", async () => {
  const site = await ready();
  const device = await enroll(site, "gauge-1");
  const now = site.clock.now();
  const ask = (body: unknown) => site.call("POST", "/v1/device-token", body);
  expect(await ask(tokenBody({ ...device, key: makeKey() }, now))).toMatchObject({ status: 401 });
  expect(await ask(tokenBody({ agent: "nobody", key: makeKey() }, now))).toMatchObject({ status: 401 });
  expect(await ask(tokenBody(device, now - 600_001))).toMatchObject(refused("expired"));
  expect(await ask(tokenBody(device, now))).toMatchObject({ status: 200 });
  expect(await ask(tokenBody(device, now))).toMatchObject(refused("replayed"));
  expect(await ask(tokenBody(device, now, "cd".repeat(16)))).toMatchObject({ status: 200 });
});
