import { createHash } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deviceTokenAnswer } from "@vedette/protocol/api";
import { sealDeviceMessage } from "@vedette/protocol/device-message";
import { assignment, helloAnswer, response } from "@vedette/protocol/messages";
import { openSigned, signedBytes } from "@vedette/protocol/signed";
import { topics } from "@vedette/protocol/topics";
import mqtt from "mqtt";
import { expect, onTestFinished, test } from "vitest";
import { makeBundle } from "../test/bundle.ts";
import {
  abilities,
  enroll,
  initialiseTrust,
  publish,
  type Site,
  startSite,
  type TestDevice,
  trustOf,
} from "../test/site.ts";
import { openLake } from "./lake/open-lake.ts";
import { parseConfig, startControlPlane } from "./main.ts";
import { startEmbeddedBroker } from "./mqtt/embedded-broker.ts";
import { systemClock } from "./system-clock.ts";
import { verifyEd25519 } from "./verify-ed25519.ts";

const names = topics("test");

/** A device over the real broker: what arrives, by topic. */
async function connect(site: Site, { agent, key }: TestDevice) {
  const at = Date.now();
  const nonce = createHash("md5").update(`${agent}${at}`).digest("hex");
  const proof = key.sign(signedBytes("device-token", `${agent}.${at}.${nonce}`));
  const { body } = await site.call("POST", "/v1/device-token", { agent, at, nonce, proof });
  const { token, mqttUrl } = deviceTokenAnswer.parse(body);
  const client = mqtt.connect(mqttUrl, { clientId: agent, username: agent, password: token, reconnectPeriod: 0 });
  onTestFinished(() => client.endAsync(true));
  const arrived = new Map<string, Buffer>();
  client.on("message", (topic, payload) => arrived.set(topic, payload));
  await new Promise<void>((resolve, reject) => client.once("connect", () => resolve()).once("error", reject));
  return {
    client,
    async next(topic: string): Promise<Buffer> {
      await expect.poll(() => arrived.get(topic), { timeout: 5000 }).toBeDefined();
      const payload = arrived.get(topic) ?? Buffer.alloc(0);
      arrived.delete(topic);
      return payload;
    },
  };
}

test("starts on free ports with everything real, and says so where a port is taken", async () => {
  const config = async (port: number) => {
    const home = await mkdtemp(join(tmpdir(), "vedette-main-"));
    return parseConfig({ home, port, mqttPort: 0, wsPort: 0, logLevel: "silent" });
  };
  const plane = await startControlPlane(await config(0));
  onTestFinished(() => plane.close());
  expect((await fetch(new URL("/health", plane.url))).status).toBe(200);
  const taken = startControlPlane(await config(Number(new URL(plane.url).port)));
  await expect(taken).rejects.toMatchObject({ code: "not_ready" });
});

test("closes although a client never finishes its request", async () => {
  const home = await mkdtemp(join(tmpdir(), "vedette-main-"));
  const plane = await startControlPlane(parseConfig({ home, port: 0, mqttPort: 0, wsPort: 0, logLevel: "silent" }));
  const socket = createConnection(Number(new URL(plane.url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  socket.write("POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{");
  await fetch(new URL("/health", plane.url));
  await plane.close();
}, 15_000);

test("a device joins, is told what to run by the real broker, and gets every byte of it", async () => {
  const site = await startSite({ parts: { clock: systemClock, startBroker: startEmbeddedBroker, openLake } });
  const operator = await initialiseTrust(site);
  const bundle = makeBundle("rain", "one");
  await publish(site, operator, [bundle]);
  const device = await enroll(site, "gauge-1");
  const { client, next } = await connect(site, device);
  await client.subscribeAsync([names.desired("gauge-1"), names.response("gauge-1")], { qos: 1 });

  const assigned = await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  expect(assigned).toMatchObject({ body: { devices: ["gauge-1"] } });
  const { rev } = JSON.parse((await next(names.desired("gauge-1"))).toString());

  let said = 0;
  const ask = async (request: Record<string, unknown>) => {
    const id = "0123456789abcdef";
    const topic = names.request("gauge-1");
    const body = JSON.stringify({ id, ...request });
    const sign = async (bytes: Uint8Array) => device.key.sign(bytes);
    const signed = await sealDeviceMessage("gauge-1", topic, { sid: 1, n: said++ }, body, sign);
    await client.publishAsync(topic, signed, { qos: 1 });
    const part = response.parse(JSON.parse((await next(names.response("gauge-1"))).toString()));
    if ("error" in part) throw new Error(part.error.message);
    expect(part).toMatchObject({ id, i: 0, of: 1 });
    return part.text;
  };
  const hello = helloAnswer.parse(JSON.parse(await ask({ kind: "hello", nonce: "ab".repeat(16), abilities, rev: 0 })));
  const targets = JSON.parse(await ask({ kind: "metadata", file: "2.targets.json" }));
  if (!hello.assignment) throw new Error("no assignment");
  const verify = async (key: string, message: Uint8Array, sig: string) => verifyEd25519(key, message, sig);
  const payload = await openSigned("assignment", hello.assignment, targets.signed["x-vedette"].director, verify);
  expect(assignment.parse(JSON.parse(payload))).toMatchObject({
    agent: "gauge-1",
    rev,
    slots: [{ model: "rain", digest: bundle.digest, length: bundle.length, release: 1 }],
  });
  expect(await ask({ kind: "manifest", digest: bundle.digest })).toBe(bundle.manifest);
  for (const [sha256, bytes] of bundle.chunks) {
    await client.subscribeAsync(names.blob(sha256), { qos: 0 });
    expect(new Uint8Array(await next(names.blob(sha256)))).toEqual(bytes);
  }
  expect(await site.call("GET", "/v1/devices")).toMatchObject({
    body: { devices: [{ agent: "gauge-1", online: true }] },
  });
  expect(await site.call("POST", "/v1/predictions/query", { model: "rain" })).toMatchObject({ status: 200 });
  expect((await trustOf(site)).site).toBe("test");
});
