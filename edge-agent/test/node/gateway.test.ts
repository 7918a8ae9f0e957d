/** The server as clients meet it: keys, limits, TLS, sockets and pages. */
import { copyFile, stat, utimes, writeFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { codeOf } from "@vedette/protocol/errors";
import { expect, test, vi } from "vitest";
import { noLimits } from "../../src/node/gateway/allowance.ts";
import { createApiKey, readApiKeys, revokeApiKey } from "../../src/node/gateway/api-keys.ts";
import { defaultGateway } from "../../src/node/gateway/config.ts";
import { followKeys } from "../../src/node/gateway/open-gateway.ts";
import { type OipServerOptions, startOipServer } from "../../src/node/oip/server.ts";
import { agent, ask, bearer, body, get, infer, log, rig, start } from "./gateway-rig.ts";

vi.setConfig({ testTimeout: 30_000 });
const key = { name: "app", models: null, ratePerSecond: null, concurrent: null, expiresAt: null };

/** The status of what is sent as it stands. */
function rawStatus(text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: rig.server?.port ?? 0 }, () => socket.write(text));
    socket.once("data", (bytes: Buffer) => {
      socket.destroy();
      resolve(Number(bytes.toString("latin1", 9, 12)));
    });
    socket.once("error", reject);
  });
}

test("[G1] beyond loopback nobody asks without a key, unless that is said to be meant", async () => {
  const refused = (options: Partial<OipServerOptions>) =>
    start({ host: "0.0.0.0", ...options }).then(() => "up", codeOf);
  expect(await refused({})).toBe("unauthenticated");
  expect(await refused({ allowAnonymous: true })).toBe("up");
  expect((await infer()).status).toBe(200);
  expect(await refused({ apiKey: "s3cret" })).toBe("up");
  expect((await infer()).status).toBe(401);
  expect((await get("/v2/health/ready")).status).toBe(200);
});

test("[G4] a key for some models opens these, and nothing else that says anything of others", async () => {
  const made = await createApiKey(rig.home, { ...key, models: ["pump"] });
  await start({ keys: await readApiKeys(rig.home) });
  const own = bearer(made.key);
  expect((await infer(own)).status).toBe(200);
  const other = await infer(own, "rain");
  expect([other.status, other.text]).toEqual([403, expect.stringContaining("is not for model rain: it is for pump")]);
  for (const path of ["/v2/models/rain", "/v2/models/stats", "/metrics"])
    expect((await get(path, own)).status).toBe(403);
  expect((await get("/v2/models/pump/stats", own)).status).toBe(200);
});

test("[G2] a key that is made or revoked while the agent runs counts from then on", async () => {
  const first = await createApiKey(rig.home, key);
  const { useKeys } = await start({ keys: await readApiKeys(rig.home) });
  const unfollow = followKeys(rig.home, useKeys, log);
  try {
    expect((await infer(bearer(first.key))).status).toBe(200);
    await revokeApiKey(rig.home, first.kept.id);
    const second = await createApiKey(rig.home, { ...key, name: "second" });
    await vi.waitFor(async () => expect((await infer(bearer(second.key))).status).toBe(200), { timeout: 10_000 });
    expect((await infer(bearer(first.key))).status).toBe(401);
  } finally {
    unfollow();
  }
});

test("[G5] a key over its rate is told when to come again; others are not held up", async () => {
  const slow = await createApiKey(rig.home, { ...key, ratePerSecond: 0.001 });
  const free = await createApiKey(rig.home, key);
  await start({ keys: await readApiKeys(rig.home) });
  expect((await infer(bearer(slow.key))).status).toBe(200);
  const refused = await infer(bearer(slow.key));
  expect(refused).toMatchObject({ status: 429, headers: { "retry-after": expect.stringMatching(/^\d+$/) } });
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(900);
  expect((await infer(bearer(free.key))).status).toBe(200);
});

test("[G5] requests of a key beyond its number at once are refused, and those refused later give their place back", async () => {
  const made = await createApiKey(rig.home, { ...key, concurrent: 2 });
  await start({ keys: await readApiKeys(rig.home) });
  for (let i = 0; i < 5; i++) expect((await infer(bearer(made.key), "pump", "{")).status).toBe(400);
  const opened = Promise.withResolvers<void>();
  rig.gate = opened.promise;
  const calls = Array.from({ length: 3 }, () => infer(bearer(made.key)));
  expect((await Promise.race(calls)).status).toBe(429);
  opened.resolve();
  expect((await Promise.all(calls)).map(({ status }) => status).sort()).toEqual([200, 200, 429]);
  expect((await infer(bearer(made.key))).status).toBe(200);
});

test("[G5] a client that goes away before its body is whole gives its place back", async () => {
  const made = await createApiKey(rig.home, { ...key, concurrent: 2 });
  await start({ keys: await readApiKeys(rig.home), logShare: 1 });
  const leave = async (length: number) => {
    const head = `POST /v2/models/pump/infer HTTP/1.1\r\nhost: x\r\nx-api-key: ${made.key}\r\ncontent-length: ${length}`;
    const socket = connect({ host: "127.0.0.1", port: rig.server?.port ?? 0 }, () => socket.write(`${head}\r\n\r\n{`));
    const before = rig.lines.length;
    // One that came later was answered: this one has its place by now.
    await vi.waitFor(async () => expect((await infer(bearer(made.key), "pump", "{")).status).toBe(400));
    socket.destroy();
    await vi.waitFor(() =>
      expect(rig.lines.slice(before)).toContainEqual({
        event: "http.request",
        fields: expect.objectContaining({ status: 499, client: made.kept.id }),
      }),
    );
  };
  for (const length of [50, 50, 100_000, 100_000]) await leave(length);
  expect((await infer(bearer(made.key))).status).toBe(200);
});

test("[G7] what HTTP itself refuses has its own status, and says what would be taken", async () => {
  await start({ maxBodyBytes: 2048, maxRows: 2 });
  const wrongMethod = await ask({ method: "PUT", path: "/v2/models/pump/infer" });
  expect(wrongMethod).toMatchObject({ status: 405, headers: { allow: "POST" } });
  expect(await ask({ method: "DELETE", path: "/v2/models/pump" })).toMatchObject({
    status: 405,
    headers: { allow: "GET, HEAD" },
  });
  expect((await infer({ accept: "text/html" })).status).toBe(406);
  expect((await infer({ accept: "text/html, */*;q=0.1" })).status).toBe(200);
  expect((await infer({ "content-type": "application/xml" })).status).toBe(415);
  expect((await infer({ "content-type": "application/x-www-form-urlencoded" })).status).toBe(200);
  expect((await infer({ "content-encoding": "gzip" })).status).toBe(415);
  expect(await rawStatus("POST /v2/models/pump/infer HTTP/1.1\r\nhost: x\r\n\r\n")).toBe(411);
  expect((await infer({}, "pump", body(Array(1000).fill(1.5)))).status).toBe(413);
  const rows = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [3, 2], data: [1, 2, 3, 4, 5, 6] }] });
  expect(await infer({}, "pump", rows)).toMatchObject({
    status: 400,
    text: expect.stringContaining("3 rows are too many"),
  });
  expect((await infer({}, "snow")).status).toBe(404);
  expect((await get("/v2/models/pump/versions/8")).status).toBe(404);
});

test("[G7] a value that the signed schema refuses is named by its field and row", async () => {
  await start();
  const nothing = await infer({}, "pump", body([null, 2]));
  expect(nothing).toMatchObject({ status: 400, text: expect.stringContaining("field wind of row 0 is missing") });
});

test("[G8] a page of a named origin may ask, others may not, and a preflight needs no key", async () => {
  const origin = "https://app.example";
  await start({ apiKey: "s3cret", corsOrigins: [origin] });
  const preflight = (from: string) =>
    ask({
      method: "OPTIONS",
      path: "/v2/models/pump/infer",
      headers: { origin: from, "access-control-request-method": "POST" },
    });
  expect(await preflight(origin)).toMatchObject({
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-headers": expect.stringContaining("authorization"),
    },
  });
  expect((await preflight("https://evil.example")).status).toBe(403);
  const told = await infer({ origin, ...bearer("s3cret") });
  expect(told).toMatchObject({ status: 200, headers: { "access-control-allow-origin": origin, vary: "Origin" } });
  const refused = await infer({ origin });
  expect([refused.status, refused.headers["access-control-allow-origin"]]).toEqual([401, origin]);
  const stranger = await infer({ origin: "https://evil.example", ...bearer("s3cret") });
  expect(stranger.headers["access-control-allow-origin"]).toBeUndefined();
  await start({ corsOrigins: [origin] });
  expect((await infer({ origin: "https://evil.example" })).status).toBe(403);
  expect((await infer({ origin })).status).toBe(200);
});

test("[G11] TLS by certificate and key; a renewed certificate serves without a restart, a broken one does not stop the former", async () => {
  const certificates = fileURLToPath(new URL("./tls/", import.meta.url));
  const tls = { certFile: join(rig.home, "cert.pem"), keyFile: join(rig.home, "key.pem") };
  let seconds = 1_700_000_000;
  const put = async (name: string): Promise<void> => {
    await copyFile(join(certificates, `${name}.key.pem`), tls.keyFile);
    await copyFile(join(certificates, `${name}.cert.pem`), tls.certFile);
    // Files are compared by their times, which two writes at once may share.
    seconds += 10;
    for (const file of Object.values(tls)) await utimes(file, seconds, seconds);
  };
  const subject = (): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const made = httpsRequest({
        host: "127.0.0.1",
        port: rig.server?.port,
        path: "/v2",
        rejectUnauthorized: false,
        agent: false,
      });
      made.on("response", (response) => {
        const { socket } = response.resume();
        resolve(
          "getPeerCertificate" in socket ? String((socket as TLSSocket).getPeerCertificate().subject.CN) : undefined,
        );
      });
      made.on("error", reject);
      made.end();
    });
  await put("first");
  const { url } = await start({ tls });
  expect(url).toMatch(/^https:/);
  expect(await subject()).toBe("first");
  await put("second");
  await vi.waitFor(async () => expect(await subject()).toBe("second"), { timeout: 10_000 });
  await writeFile(tls.certFile, "no certificate");
  await vi.waitFor(() => expect(rig.lines.map(({ event }) => event)).toContain("http.certificate_not_reloaded"), {
    timeout: 10_000,
  });
  expect(await subject()).toBe("second");
  expect(await start({ tls }).catch(codeOf)).toBe("invalid_argument");
});

test("[G12] a Unix socket is its owner's, needs no key, and one left by a dead process is taken over", async () => {
  const socket = join(rig.home, "agent.sock");
  await start({ socket });
  expect((await stat(socket)).mode & 0o077).toBe(0);
  const told = await ask({ socketPath: socket, path: "/v2/models" });
  expect(JSON.parse(told.text)).toEqual({ models: ["pump", "rain"] });
  const second = startOipServer({ agent: agent(), log, version: "0", port: 0, socket });
  expect(await second.then(() => "up", codeOf)).toBe("conflict");
  const file = join(rig.home, "file");
  await writeFile(file, "a person's");
  expect(await start({ socket: file }).catch(codeOf)).toBe("conflict");
});

test("what is asked where nothing is set is as the defaults say", () => {
  expect(defaultGateway).toMatchObject({ host: "127.0.0.1", port: 8790, allowAnonymous: false, client: noLimits });
});
