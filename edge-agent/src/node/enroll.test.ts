import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf } from "@vedette/protocol/errors";
import { parseEnrollmentToken } from "@vedette/protocol/joining";
import { signedBytes } from "@vedette/protocol/signed";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeviceKey } from "../core/ports.ts";
import { requestDeviceToken } from "../http/device-token.ts";
import { postJson } from "../http/post-json.ts";
import { enroll, readEnrolment } from "./enroll.ts";
import { nodeCrypto, openDeviceKey } from "./node-crypto.ts";
import { systemClock, systemRandom } from "./system-clock.ts";

interface Asked {
  agent: string;
  at: number;
  nonce: string;
  proof: string;
}
const root = '{"signed":"root"}';
const rootSha256 = createHash("sha256").update(root).digest("hex");
const secret = "5".repeat(64);
const urls = { mqttUrl: "mqtt://127.0.0.1:1883", mqttWsUrl: "ws://127.0.0.1:8080" };
let home: string;
let server: Server;
let url: string;
let key: DeviceKey;
let asked: { path: string | undefined; body: Asked }[];
let answer: (body: Asked) => { status?: number; json: unknown; date?: number };

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-enroll-"));
  key = await openDeviceKey(join(home, "device.key"));
  asked = [];
  answer = (body) => ({ json: { site: "demo", agent: body.agent, root, ...urls, labels: { city: "seattle" } } });
  server = createServer(async (incoming, outgoing) => {
    let text = "";
    for await (const part of incoming) text += part;
    const body = JSON.parse(text) as Asked;
    asked.push({ path: incoming.url, body });
    const { status = 200, json, date } = answer(body);
    if (date !== undefined) outgoing.setHeader("date", new Date(date).toUTCString());
    outgoing.writeHead(status).end(JSON.stringify(json));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(home, { recursive: true, force: true });
});

const token = (change: object = {}) =>
  Buffer.from(JSON.stringify({ url, site: "demo", secret, rootSha256, ...change })).toString("base64url");
const joinDemo = (change: object = {}) =>
  enroll({ home, token: token(), agent: "station-1", labels: { city: "mine", floor: "2" }, key, ...change });
const refused = (error: string) => ({ status: 401, json: { error: { code: error, message: "so it says" } } });

test("joins a site, proves the key, and keeps what a restart needs", async () => {
  const joined = await joinDemo();
  const body = asked[0]?.body;
  expect(asked[0]?.path).toBe("/v1/enroll");
  const message = signedBytes("enroll", `${secret}.station-1.${key.publicKeyHex}`);
  expect(await nodeCrypto.verify(key.publicKeyHex, message, body?.proof ?? "")).toBe(true);
  expect(joined).toEqual({
    site: "demo",
    agent: "station-1",
    url,
    mqttUrl: urls.mqttUrl,
    labels: { city: "seattle", floor: "2" },
    rootSha256,
  });
  expect(await readEnrolment(home)).toEqual({ enrolment: joined, root });
});

test("a root other than the token's is refused, and nothing is kept", async () => {
  expect(await joinDemo({ token: token({ rootSha256: "0".repeat(64) }) }).catch(codeOf)).toBe("digest_mismatch");
  expect(await readEnrolment(home)).toBeUndefined();
});

test("an answer for another site or device is refused", async () => {
  expect(await joinDemo({ token: token({ site: "other" }) }).catch(codeOf)).toBe("wrong_device");
});

test("what is wrong with a token, a name or a label is said before anything is sent", async () => {
  for (const bad of ["", "nonsense", token().slice(0, 40), token({ secret: "short" })]) {
    expect(() => parseEnrollmentToken(bad)).toThrow(/no enrolment token/);
  }
  await expect(joinDemo({ agent: "a b" })).rejects.toMatchObject({ code: "invalid_argument", message: /--name/ });
  await expect(joinDemo({ labels: { "a b": "x" } })).rejects.toMatchObject({ code: "invalid_argument" });
  expect(asked).toEqual([]);
});

test("the control plane's refusal keeps its code; a stranger at the address and a dead one are told apart", async () => {
  answer = () => refused("invalid_token");
  await expect(joinDemo()).rejects.toMatchObject({ code: "invalid_token", message: /so it says/ });
  answer = () => ({ json: { hello: "world" } });
  expect(await joinDemo().catch(codeOf)).toBe("invalid_message");
  expect(await joinDemo({ token: token({ url: "http://127.0.0.1:1" }) }).catch(codeOf)).toBe("offline");
});

test("a damaged agent.json is said, not taken for a device that never joined", async () => {
  await joinDemo();
  await writeFile(join(home, "agent.json"), (await readFile(join(home, "agent.json"))).subarray(0, 20));
  expect(await readEnrolment(home).catch(codeOf)).toBe("storage_failed");
  await joinDemo();
  await rm(join(home, "root.json"));
  expect(await readEnrolment(home).catch(codeOf)).toBe("storage_failed");
});

test("a device token is asked for by proof of the key", async () => {
  const given = { token: "jwt", expiresAt: "2026-11-23T01:00:00Z", time: 1, ...urls };
  answer = () => ({ json: given });
  const options = { url, agent: "station-1", key, clock: systemClock, random: systemRandom, post: postJson };
  expect(await requestDeviceToken(options)).toEqual({ ...given, mqttAuth: "token" });
  const body = asked[0]?.body;
  const message = signedBytes("device-token", `station-1.${body?.at}.${body?.nonce}`);
  expect(await nodeCrypto.verify(key.publicKeyHex, message, body?.proof ?? "")).toBe(true);
});

test("a clock in 1970 is overcome by the control plane's date, once", async () => {
  const date = Date.UTC(2026, 10, 23);
  const clock = { ...systemClock, now: () => 1000 };
  answer = ({ at }) =>
    at === date
      ? { json: { token: "jwt", expiresAt: "2026-11-23T01:00:00Z", time: date, ...urls } }
      : { ...refused("unauthenticated"), date };
  const options = { url, agent: "station-1", key, clock, random: systemRandom, post: postJson };
  expect((await requestDeviceToken(options)).token).toBe("jwt");
  answer = () => ({ ...refused("unauthenticated"), date });
  expect(await requestDeviceToken(options).catch(codeOf)).toBe("unauthenticated");
  expect(asked).toHaveLength(4);
});

test("a root that is not the one that enrolment pinned is refused at the start", async () => {
  await joinDemo();
  await writeFile(join(home, "root.json"), '{"signed":"another"}');
  await expect(readEnrolment(home)).rejects.toMatchObject({ code: "digest_mismatch" });
});
