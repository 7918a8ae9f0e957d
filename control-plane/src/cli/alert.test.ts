/** Alerts end to end: a real control plane, the command line, and a receiver that is a real HTTP server. */
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Alert } from "@vedette/protocol/alerts-api";
import type { Reported } from "@vedette/protocol/messages";
import { expect, onTestFinished, test, vi } from "vitest";
import { manualClock } from "../../test/clock.ts";
import { vedetteOf } from "../../test/commands.ts";
import { type Receiver, startReceiver } from "../../test/receiver.ts";
import { abilities, enroll, hello, initialiseTrust, type Site, startSite } from "../../test/site.ts";
import type { Parts } from "../compose.ts";
import { openDatabase } from "../db/database.ts";
import type { DiskSpace } from "../monitoring/alerts/sources/low-disk.ts";
import type { WebhookPayload } from "../monitoring/alerts/webhook-payload.ts";
import type { MissingCount } from "../ports.ts";

const gib = 2 ** 30;

/** A site whose disk and losses the test decides, an operator beside it, and a receiver. */
async function ready(over: { home?: string; receiver?: boolean } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "vedette-alert-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const world = {
    disk: { free: 100 * gib, total: 200 * gib } as DiskSpace,
    missing: [] as MissingCount[],
    logged: [] as unknown[],
  };
  const note = (event: string, fields = {}) => void world.logged.push({ event, ...fields });
  const parts: Partial<Parts> = {
    logger: { debug: note, info: note, warn: note, error: note },
    diskSpace: async () => world.disk,
  };
  const site = await startSite({ ...over, parts });
  await copyFile(join(site.home, "operator.token"), join(folder, "operator.token"));
  const receiver = await startReceiver();
  const vedette = vedetteOf(site, folder);
  if (over.receiver !== false)
    expect(await vedette("alert", "receiver", "add", "--name", "pager", "--to", receiver.url)).toMatchObject({
      code: 0,
    });
  return { folder, site, receiver, vedette, world };
}

/** Reconcilers run by the test's clock and by real disks: slowly where others use this machine, too. */
const patience = { timeout: 20_000, interval: 20 };
vi.setConfig({ testTimeout: 60_000 });

/** Lets the reconcilers run, until something holds. */
async function until(site: Site, what: () => unknown, everyMs = 30_000): Promise<void> {
  await vi.waitFor(() => {
    site.clock.advance(everyMs);
    expect(what()).toBeTruthy();
  }, patience);
}
const told = ({ got }: Receiver) => got.flatMap(({ body }) => (body as WebhookPayload).alerts);
const names = (receiver: Receiver, status = "firing") =>
  told(receiver).flatMap((one) => (one.status === status ? [one.labels.alertname] : []));

test("[Z8] a receiver gets what Alertmanager's webhooks send, with a runbook that opens without a login", async () => {
  const { site, receiver, world, vedette } = await ready();
  world.disk = { free: 0.1 * gib, total: 200 * gib };
  await until(site, () => receiver.got.length > 0);
  const payload = receiver.got[0]?.body as WebhookPayload;
  expect(receiver.got[0]?.headers["content-type"]).toMatch(/^application\/json/);
  expect(payload).toEqual({
    version: "4",
    groupKey: '{}:{site="test"}',
    truncatedAlerts: 0,
    status: "firing",
    receiver: "pager",
    groupLabels: { site: "test" },
    commonLabels: { alertname: "VedetteDiskLow", severity: "critical", site: "test" },
    commonAnnotations: expect.objectContaining({ runbook_url: `${site.url}/runbooks/disk-low` }),
    externalURL: site.url,
    alerts: [
      {
        status: "firing",
        labels: { alertname: "VedetteDiskLow", severity: "critical", site: "test" },
        annotations: expect.objectContaining({ summary: "The control plane's disk is nearly full" }),
        startsAt: expect.stringMatching(/Z$/),
        endsAt: "0001-01-01T00:00:00Z",
        generatorURL: `${site.url}/v1/alerts/1`,
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ],
  });
  const page = await fetch(payload.commonAnnotations.runbook_url ?? "");
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("# ")]);
  expect((await fetch(`${site.url}/runbooks/..%2f..%2fREADME`)).status).toBe(404);
  expect((await vedette("production")).out).toContain("Warning: alerts fire (1 critical): vedette alert list");
  world.disk = { free: 100 * gib, total: 200 * gib };
  await until(site, () => names(receiver, "resolved").length > 0);
  expect((await vedette("alert", "list")).out).toBe("No alerts.\n");
  expect((await vedette("alert", "list", "--state", "all")).out).toMatch(/critical +resolved .*VedetteDiskLow/);
});

test("[Z9] an alert is taken on by name, which the audit keeps, and outlives a restart", async () => {
  const { site, folder, vedette, world } = await ready();
  world.disk = { free: 10 * gib, total: 200 * gib };
  let alerts: Alert[] = [];
  await vi.waitFor(async () => {
    site.clock.advance(30_000);
    alerts = ((await vedette("alert", "list", "--json")).json() as { alerts: Alert[] }).alerts;
    expect(alerts).toHaveLength(1);
  }, patience);
  const ran = await vedette("alert", "ack", "1", "--reason", "a bigger disk comes on Monday");
  expect(ran).toMatchObject({ code: 0, out: expect.stringContaining("acknowledged by admin") });
  expect((await vedette("alert", "show", "1")).out).toMatch(/taken on +by admin at .*: a bigger disk comes on Monday/);
  expect((await vedette("audit", "list", "--action", "alert.ack")).out).toMatch(/VedetteDiskLow.*a bigger disk/);
  expect(await vedette("alert", "ack", "7")).toMatchObject({ code: 1, err: expect.stringContaining("no alert 7") });
  await site.close();
  const again = await startSite({ home: site.home });
  const later = (await vedetteOf(again, folder)("alert", "list", "--json")).json() as { alerts: Alert[] };
  expect(later.alerts).toEqual(
    alerts.map((one) => ({ ...one, acknowledged: expect.objectContaining({ by: "admin" }) })),
  );
});

test("[Z10] a receiver's headers are sent to it alone: in no answer, log, database or redirect", async () => {
  const { site, folder, receiver, vedette, world } = await ready({ receiver: false });
  const secret = "Bearer hush-hush-1234";
  await writeFile(join(folder, "headers"), `Authorization: ${secret}\n\nX-Scope-OrgID: ours\n`);
  const add = ["alert", "receiver", "add", "--to", `${receiver.url}/hook`, "--header-file", join(folder, "headers")];
  expect(await vedette(...add)).toMatchObject({ code: 0 });
  const elsewhere = await startReceiver();
  receiver.answer = { status: 307, headers: { location: elsewhere.url } };
  expect(await vedette("alert", "receiver", "test")).toMatchObject({
    code: 2,
    err: expect.stringContaining("answered 307"),
  });
  receiver.answer = { status: 204 };
  const tested = await vedette("alert", "receiver", "test");
  expect(tested).toMatchObject({ code: 0, out: "default took it: VedetteTest fired and resolved.\n" });
  expect(receiver.got.at(-1)?.headers).toMatchObject({ authorization: secret, "x-scope-orgid": "ours" });
  expect(receiver.got.slice(-2).map(({ body }) => (body as WebhookPayload).status)).toEqual(["firing", "resolved"]);
  expect(elsewhere.got).toEqual([]);
  const said = [tested, await vedette("alert", "receiver", "list", "--json"), await vedette("audit", "list", "--json")];
  expect(JSON.stringify([said, world.logged])).not.toContain("hush-hush");
  await site.close();
  expect((await readFile(join(site.home, "data", "vedette.db"))).includes("hush-hush")).toBe(false);
  expect(await readdir(join(site.home, "data", "receiver-headers"))).toEqual(["default"]);
});

test("[A14] the whole address of a receiver is in its own file alone; elsewhere its scheme and host are", async () => {
  const { site, folder, receiver, vedette, world } = await ready({ receiver: false });
  const secret = "T0123/B4567/hush-hush";
  const add = ["alert", "receiver", "add", "--to", `${receiver.url}/services/${secret}?key=hush-hush`];
  const added = await vedette(...add);
  expect(added).toMatchObject({ code: 0, out: expect.stringContaining(`${receiver.url}/…`) });
  expect(await vedette("alert", "receiver", "test")).toMatchObject({ code: 0 });
  receiver.answer = { status: 404 };
  const refused = await vedette("alert", "receiver", "test");
  expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("answered 404") });
  const lists = [await vedette("alert", "receiver", "list", "--json"), await vedette("audit", "list", "--json")];
  expect(JSON.stringify([added, refused, lists, world.logged])).not.toContain("hush-hush");
  await site.close();
  const data = join(site.home, "data");
  for (const file of (await readdir(data)).filter((name) => name.startsWith("vedette.db")))
    expect((await readFile(join(data, file))).includes("hush-hush")).toBe(false);
  const kept = join(data, "receiver-headers", "default");
  expect([(await stat(kept)).mode & 0o777, (await stat(join(data, "receiver-headers"))).mode & 0o777]).toEqual([
    0o600, 0o700,
  ]);

  // As a control plane of before left it: the address in the database, the headers alone in the file.
  const url = `${receiver.url}/services/${secret}`;
  const db = await openDatabase(join(data, "vedette.db"));
  const entry = { at: 0, actor: "ada", action: "alert-receiver.add", subject: "old", detail: {} };
  await db.alerts.addReceiver({ name: "old", url, minSeverity: "info" }, entry);
  await db.close();
  await writeFile(join(data, "receiver-headers", "old"), JSON.stringify({ "X-Token": "abc" }), { mode: 0o600 });
  const again = await startSite({ home: site.home });
  receiver.answer = { status: 204 };
  receiver.got.length = 0;
  const later = vedetteOf(again, folder);
  expect(await later("alert", "receiver", "test", "--name", "old")).toMatchObject({ code: 0 });
  expect(receiver.got[0]).toMatchObject({ path: `/services/${secret}`, headers: { "x-token": "abc" } });
  expect((await later("alert", "receiver", "list")).out).not.toContain("hush-hush");
  await rm(join(data, "receiver-headers", "old"));
  expect(await later("alert", "receiver", "test", "--name", "old")).toMatchObject({
    err: expect.stringContaining("Remove the receiver, and add it again"),
  });
  await again.close();
  expect((await readFile(join(data, "vedette.db"))).includes("hush-hush")).toBe(false);
});

test.each([
  ["http://169.254.169.254/latest/meta-data", "no address of a receiver"],
  ["http://[::ffff:169.254.169.254]/", "no address of a receiver"],
  ["http://2852039166/", "no address of a receiver"],
  ["http://[fe80::1]/", "no address of a receiver"],
  ["http://[64:ff9b::a9fe:a9fe]/", "no address of a receiver"],
  ["http://[64:ff9b:1::169.254.169.254]/", "no address of a receiver"],
  ["http://[::169.254.169.254]/", "no address of a receiver"],
  ["http://ada:secret@hooks.example/", "may not hold a user"],
  ["file:///etc/passwd", "does not fit"],
  ["gopher://hooks.example/", "does not fit"],
])("[Z11] a receiver is no way into the machine's own network: %s", async (url, why) => {
  const { vedette } = await ready({ receiver: false });
  expect(await vedette("alert", "receiver", "add", "--to", url)).toMatchObject({
    code: 1,
    err: expect.stringContaining(why),
  });
});

test("[Z12] a receiver that is down hears later what it missed; that it fails is an alert of its own", async () => {
  const { site, receiver, vedette, world } = await ready();
  receiver.answer = { status: 503 };
  world.disk = { free: 10 * gib, total: 200 * gib };
  await until(site, () => receiver.got.length > 3);
  const list = (await vedette("alert", "receiver", "list")).out;
  expect(list).toMatch(/pager .*the receiver answered 503/);
  world.disk = { free: 100 * gib, total: 200 * gib };
  const ok = await startReceiver();
  expect(await vedette("alert", "receiver", "add", "--name", "other", "--to", ok.url)).toMatchObject({ code: 0 });
  await until(site, () => names(ok).includes("VedetteReceiverFailing"));
  receiver.got.length = 0;
  receiver.answer = { status: 200 };
  await until(site, () => names(receiver, "resolved").includes("VedetteDiskLow"));
  expect(names(receiver).includes("VedetteDiskLow")).toBe(true);
  await until(site, () => names(ok, "resolved").includes("VedetteReceiverFailing"));
});

test("viewers see alerts, operators take them on, and admins choose who is told", async () => {
  const { site, vedette } = await ready();
  const as = async (role: string) => {
    const made = (await vedette("operator", "add", role, "--role", role, "--json")).json() as { token: string };
    return async (method: string, path: string, body?: unknown) =>
      (await site.call(method, path, body, { authorization: `Bearer ${made.token}` })).status;
  };
  const [viewer, operator] = [await as("viewer"), await as("operator")];
  const url = "https://hooks.example/";
  expect(await viewer("GET", "/v1/alerts")).toBe(200);
  expect(await viewer("POST", "/v1/alerts/1/ack", {})).toBe(403);
  expect(await viewer("GET", "/v1/alert-receivers")).toBe(403);
  expect(await operator("POST", "/v1/alerts/1/ack", {})).toBe(404);
  expect(await operator("GET", "/v1/alert-receivers")).toBe(200);
  expect(await operator("POST", "/v1/alert-receivers/pager/test")).toBe(200);
  expect(await operator("POST", "/v1/alert-receivers", { name: "mine", url })).toBe(403);
  expect(await operator("DELETE", "/v1/alert-receivers/pager")).toBe(403);
});

const report = (agent: string, slots: Reported["slots"]): Reported => ({
  agent,
  rev: 1,
  at: 0,
  labels: {},
  slots,
  abilities,
});

test("[Z13] a silent device is told, and one that was only away while the control plane was is not", async () => {
  const { site, receiver, vedette } = await ready();
  await initialiseTrust(site);
  for (const agent of ["gauge-1", "gauge-2", "page-1", "sleeper"]) {
    await enroll(site, agent, agent === "sleeper" ? { silence: "never" } : {});
    await hello(site, agent);
    const runtime = agent === "page-1" ? "browser, onnxruntime-web" : "test";
    await site.fleet.reported(agent, { ...report(agent, []), abilities: { ...abilities, runtime } });
  }
  const keepAlive = () => site.fleet.seen("gauge-2");
  await vi.waitFor(async () => {
    site.clock.advance(30_000);
    await keepAlive();
    expect(names(receiver)).toContain("VedetteDeviceGone");
  }, patience);
  expect(told(receiver).map(({ labels }) => labels.agent)).toEqual(["gauge-1"]);
  await site.fleet.seen("gauge-1");
  await vi.waitFor(async () => {
    site.clock.advance(30_000);
    await keepAlive();
    await site.fleet.seen("gauge-1");
    expect(names(receiver, "resolved")).toContain("VedetteDeviceGone");
  }, patience);
  // The control plane was away for a day: at first nobody is missed.
  await site.close();
  const again = await startSite({ home: site.home, clock: manualClock(site.clock.now() + 86_400_000) });
  const late = vedetteOf(again, site.home, { tokenFile: join(site.home, "operator.token") });
  for (let i = 0; i < 5; i++) {
    again.clock.advance(30_000);
    await setTimeout(20);
  }
  expect((await late("alert", "list", "--json")).json()).toEqual({ alerts: [] });
  expect(await vedette("alert", "list")).toMatchObject({ code: 2 });
});
