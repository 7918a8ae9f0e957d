import { deviceTokenAnswer } from "@vedette/protocol/api";
import type { Reported } from "@vedette/protocol/messages";
import { signedBytes } from "@vedette/protocol/signed";
import { expect, test } from "vitest";
import { emptyLake } from "../../test/empty-lake.ts";
import {
  abilities,
  enroll,
  enrollBody,
  initialiseTrust,
  makeToken,
  startSite,
  type TestDevice,
} from "../../test/site.ts";
import type { Fleet, Ingestion } from "../ports.ts";

/** What the broker was handed. */
const heard: { fleet?: Fleet; ingestion?: Ingestion } = {};
const report = (agent: string): Reported => ({ agent, rev: 1, at: 0, abilities, labels: {}, slots: [] });
async function ready() {
  const disconnected: string[] = [];
  const taken: string[] = [];
  const site = await startSite({
    parts: {
      openLake: emptyLake({
        ingestion: {
          take: async (agent) => {
            taken.push(agent);
            return { pause: 1 };
          },
        },
      }),
      startBroker: async ({ fleet, ingestion }) => {
        heard.fleet = fleet;
        heard.ingestion = ingestion;
        return {
          urls: () => ({ mqttUrl: "mqtt://site.example", mqttWsUrl: "" }),
          offer: async () => {},
          hint: async () => {},
          command: async () => {},
          disconnectAll: async () => {},
          disconnect: async (agent) => void disconnected.push(agent),
          close: async () => {},
        };
      },
    },
  });
  await initialiseTrust(site);
  return { site, disconnected, taken, device: await enroll(site, "gauge-1") };
}

let asked = 0;
function tokenBody({ agent, key }: TestDevice, at: number) {
  const nonce = String(asked++).padStart(32, "0");
  return { agent, at, nonce, proof: key.sign(signedBytes("device-token", `${agent}.${at}.${nonce}`)) };
}

test("[S33] a revoked device gets no token, no connection and no answer, and nothing it sends is taken", async () => {
  const { site, disconnected, taken, device } = await ready();
  const login = () => site.call("POST", "/v1/device-token", tokenBody(device, site.clock.now()));
  const { token } = deviceTokenAnswer.parse((await login()).body);
  await heard.fleet?.reported("gauge-1", report("gauge-1"));
  expect(await site.call("POST", "/v1/devices/gauge-1/revoke", { reason: "lost" })).toMatchObject({ status: 200 });
  expect(disconnected).toEqual(["gauge-1"]);
  expect(await heard.fleet?.authenticate("gauge-1", token)).toBeUndefined();
  expect(await login()).toMatchObject({ status: 403, body: { error: { code: "forbidden" } } });
  const refused = { code: "forbidden" };
  const question = { id: "0".repeat(16), kind: "metadata" as const, file: "timestamp.json" };
  await expect(heard.fleet?.answer("gauge-1", question)).rejects.toMatchObject(refused);
  await expect(heard.fleet?.reported("gauge-1", report("gauge-1"))).rejects.toMatchObject(refused);
  await expect(heard.fleet?.open("gauge-1", "vd1/test/a/gauge-1/hb", "{}")).rejects.toMatchObject(refused);
  await expect(heard.ingestion?.take("gauge-1", "rain", new Uint8Array(1))).rejects.toMatchObject(refused);
  expect(taken).toEqual([]);
  expect(await site.call("POST", "/v1/devices/gauge-1/revoke", { reason: "again" })).toMatchObject({
    body: { changed: false },
  });
  expect(await site.call("POST", "/v1/devices/gauge-9/revoke", { reason: "lost" })).toMatchObject({ status: 404 });
});

test("[S33] a revoked name joins by no token until it is approved; another name may; a restart forgets nothing", async () => {
  const { site, device } = await ready();
  await site.call("POST", "/v1/devices/gauge-1/revoke", { reason: "lost" });
  await site.close();
  const again = await startSite({ home: site.home, clock: site.clock });
  const { token } = await makeToken(again, { uses: 3 });
  const join = (as: TestDevice) => again.call("POST", "/v1/enroll", enrollBody(token, as));
  expect(await join(device)).toMatchObject({ status: 403, body: { error: { code: "forbidden" } } });
  expect(await join({ ...device, agent: "gauge-2" })).toMatchObject({ status: 200 });
  expect(await again.call("POST", "/v1/devices/gauge-1/approve")).toMatchObject({ body: { changed: true } });
  expect(await join(device)).toMatchObject({ status: 200 });
});
