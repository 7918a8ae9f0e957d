/** The page's transport against a real broker over real WebSockets (Node has the same ones). */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { codeOf, VedetteError } from "@vedette/protocol/errors";
import { Aedes, type Client } from "aedes";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createWebSocketStream, WebSocketServer } from "ws";
import type { Transport } from "../core/ports.ts";
import { consoleLogger } from "./console-logger.ts";
import { webClock } from "./web-clock.ts";
import { webRandom } from "./web-crypto.ts";
import { createWsTransport } from "./ws-transport.ts";

let broker: Aedes;
let server: Server;
let url: string;
let transport: Transport | undefined;
const passwords: string[] = [];

beforeEach(async () => {
  vi.spyOn(console, "info").mockReturnValue();
  vi.spyOn(console, "warn").mockReturnValue();
  passwords.length = 0;
  broker = await Aedes.createBroker();
  broker.authenticate = (_client, _user, password, done) => {
    passwords.push(String(password));
    done(null, !String(password).startsWith("bad"));
  };
  broker.authorizeSubscribe = (_client, subscription, done) =>
    done(null, subscription.topic.startsWith("secret") ? null : subscription);
  server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) =>
    broker.handle(createWebSocketStream(socket) as never, request as never),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await transport?.close();
  transport = undefined;
  await new Promise<void>((resolve) => broker.close(resolve));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  vi.restoreAllMocks();
});

function start(credentials: () => Promise<{ url: string; time: number; password: string }>) {
  const ups: number[] = [];
  const downs: number[] = [];
  const messages: [string, string][] = [];
  transport = createWsTransport({
    agent: "page-1",
    presenceTopic: "vd1/demo/a/page-1/presence",
    credentials,
    clock: webClock,
    random: webRandom,
    log: consoleLogger,
    backoff: { firstMs: 10, capMs: 50 },
  });
  const made = transport;
  made.start({
    up: () => ups.push(made.sid),
    down: () => downs.push(made.sid),
    session: async (at) => ({ sid: at / 1_000, will: JSON.stringify({ on: 0, sid: at / 1_000 }) }),
    message: (topic, payload) => messages.push([topic, new TextDecoder().decode(payload)]),
  });
  return { made, ups, downs, messages };
}

it("subscribes, publishes and receives; says what the broker refuses", async () => {
  const { made, ups, messages } = start(async () => ({ url, time: 1_000, password: "jwt" }));
  await vi.waitFor(() => expect(ups).toHaveLength(1));
  await made.subscribe("vd1/demo/a/page-1/res", 1);
  await made.publish("vd1/demo/a/page-1/res", new Uint8Array([104, 105]), { qos: 1 });
  await made.publish("vd1/demo/a/page-1/res", "text", { qos: 1 });
  await vi.waitFor(() => expect(messages.map(([, text]) => text)).toEqual(["hi", "text"]));
  expect(await made.subscribe("secret/x", 1).catch(codeOf)).toBe("forbidden");
  expect(await made.publish("x", new Uint8Array(200_000), { qos: 1 }).catch(codeOf)).toBe("too_large");
  await made.unsubscribe("vd1/demo/a/page-1/res");
  expect(made.bytes.sent).toBeGreaterThan(0);
  expect(made.bytes.received).toBeGreaterThan(0);
});

it("comes back with a fresh password and session; the will speaks of the one that died", async () => {
  const wills: string[] = [];
  broker.on("publish", (packet) => {
    if (packet.topic.endsWith("/presence")) wills.push(String(packet.payload));
  });
  let count = 0;
  const { made, ups, downs } = start(async () => ({ url, time: 1_000 * (count + 1), password: `jwt-${++count}` }));
  await vi.waitFor(() => expect(ups).toHaveLength(1));
  const client = (broker as unknown as { clients: Record<string, Client> }).clients["page-1"] as Client;
  (client.conn as unknown as { destroy(): void }).destroy();
  await vi.waitFor(() => expect(ups).toHaveLength(2));
  expect(downs).toHaveLength(1);
  expect(passwords).toEqual(["jwt-1", "jwt-2"]);
  expect(ups[1]).toBeGreaterThan(ups[0] as number);
  await vi.waitFor(() => expect(wills).toContain(JSON.stringify({ on: 0, sid: ups[0] })));
  expect(made.connected).toBe(true);
});

it("tries again after a refused password and after a control plane that is away; is offline meanwhile", async () => {
  let count = 0;
  const { made, ups } = start(async () => {
    count++;
    if (count === 1) throw new VedetteError("offline", "away");
    return { url, time: 1_000 * count, password: count === 2 ? "bad" : "good" };
  });
  expect(await made.publish("t", "x", { qos: 1 }).catch(codeOf)).toBe("offline");
  await vi.waitFor(() => expect(ups).toHaveLength(1), { timeout: 3_000 });
  expect(passwords).toEqual(["bad", "good"]);
  await made.close();
  expect(made.connected).toBe(false);
  expect(await made.subscribe("t", 0).catch(codeOf)).toBe("offline");
});
