import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "@vedette/protocol/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { defaultGateway, loadGatewayConfig, settings } from "./config.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vedette-config-"));
  file = join(folder, "gateway.json");
});
afterEach(() => rm(folder, { recursive: true }));
const nothing = { flags: {}, env: {}, file: undefined };

test("[G9] a flag goes before the environment, that before the file, and that before the default", async () => {
  await writeFile(file, JSON.stringify({ port: 1, host: "127.0.0.3", client: { burst: 7 } }));
  const env = { VEDETTE_PORT: "2", VEDETTE_SERVE_HOST: "127.0.0.2", VEDETTE_RATE: "5" };
  const config = await loadGatewayConfig({ flags: { port: "3" }, env, file });
  expect(config).toMatchObject({
    port: 3,
    host: "127.0.0.2",
    client: { ratePerSecond: 5, burst: 7, concurrent: null },
  });
  expect(await loadGatewayConfig(nothing)).toEqual(defaultGateway);
  expect((await loadGatewayConfig({ ...nothing, file })).port).toBe(1);
});

test("[G9] every setting is taken from its variable", async () => {
  const values: Record<string, string> = {
    VEDETTE_ALLOW_ANONYMOUS: "true",
    VEDETTE_OPEN_METRICS: "1",
    VEDETTE_CORS_ORIGIN: "https://a.example, http://b.example:8080",
    VEDETTE_LOG_REQUESTS: "0.5",
  };
  const env = Object.fromEntries(settings.map(({ variable }) => [variable, values[variable] ?? "1024"]));
  expect(await loadGatewayConfig({ ...nothing, env })).toEqual({
    host: "1024",
    port: 1024,
    socket: "1024",
    tls: { certFile: "1024", keyFile: "1024" },
    apiKeyFile: "1024",
    jwt: { keysFile: "1024", issuer: "1024", audience: "1024" },
    allowAnonymous: true,
    corsOrigins: ["https://a.example", "http://b.example:8080"],
    openMetrics: true,
    limits: { bodyBytes: 1024, rows: 1024, values: 8 * 1024 * 1024, inFlight: 1024, waitMs: 1024 },
    client: { ratePerSecond: 1024, burst: 1024, concurrent: 1024 },
    cache: {},
    logShare: 0.5,
  });
});

test.each([
  ["a wrong flag", { flags: { port: "70000" }, env: {} }, /^--port: port: a port is 0 to 65535/],
  ["a wrong variable", { flags: {}, env: { VEDETTE_RATE: "often" } }, /^VEDETTE_RATE: client.ratePerSecond/],
  ["half of a certificate", { flags: { tlsCert: "a.pem" }, env: {} }, /tls.keyFile/],
  ["any origin", { flags: { corsOrigin: "*" }, env: {} }, /corsOrigins.*without a path/],
])("[G9] %s is refused by its name", async (_, sources, message) => {
  expect(await loadGatewayConfig({ ...nothing, ...sources }).catch(messageOf)).toMatch(message);
});

test("[G9] a setting that there is not, and a file that is none, are refused", async () => {
  await writeFile(file, JSON.stringify({ prot: 1 }));
  expect(await loadGatewayConfig({ ...nothing, file }).catch(messageOf)).toMatch(/gateway.json.*prot/);
  await writeFile(file, "[]");
  expect(await loadGatewayConfig({ ...nothing, file }).catch(messageOf)).toMatch(/no JSON object/);
  expect(await loadGatewayConfig({ ...nothing, file: `${file}.not` }).catch(messageOf)).toMatch(/cannot be read/);
});
