/** The command as a supervisor runs it: a process, its one line, its log, its exit code. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TestRepository } from "./tuf-repository.ts";

const command = fileURLToPath(new URL("../../src/node/vedette-agent.ts", import.meta.url));
// Processes, threads and sockets: on a busy machine they take their time.
vi.setConfig({ testTimeout: 60_000 });
let home: string;
let server: Server;
let token: string;
let children: ChildProcess[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-command-"));
  children = [];
  const root = new TestRepository(Date.now()).firstRoot;
  const answer = {
    site: "demo",
    agent: "station-1",
    root,
    mqttUrl: "mqtt://127.0.0.1:1",
    mqttWsUrl: "ws://127.0.0.1:1",
    labels: {},
  };
  server = createServer((incoming, outgoing) => {
    incoming.resume();
    const known = incoming.url === "/v1/enroll";
    const refusal = { error: { code: "unauthenticated", message: "no tokens today" } };
    outgoing.writeHead(known ? 200 : 401).end(JSON.stringify(known ? answer : refusal));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rootSha256 = createHash("sha256").update(root).digest("hex");
  token = Buffer.from(JSON.stringify({ url, site: "demo", secret: "5".repeat(64), rootSha256 })).toString("base64url");
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(home, { recursive: true, force: true });
});

const start = (...options: string[]) => startWith({}, ...options);
function startWith({ stdin = "", env = {} }: { stdin?: string; env?: Record<string, string> }, ...options: string[]) {
  const child = spawn(process.execPath, [command, ...options], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  child.stdin.end(stdin);
  children.push(child);
  let out = "";
  let err = "";
  const line = new Promise<string>((resolve) => {
    child.stdout.on("data", (text) => {
      out += text;
      if (out.includes("\n")) resolve(out);
    });
  });
  child.stderr.on("data", (text) => {
    err += text;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, out, err })),
  );
  const ready = async (): Promise<{ ready: true; url: string }> => {
    const first = await Promise.race([line, ended]);
    if (typeof first === "string") return JSON.parse(first);
    throw new Error(`it ended before it was ready: ${first.err}`);
  };
  return { child, ready, ended };
}
const run = (...options: string[]) => start("run", "--home", home, "--port", "0", ...options);

test("joins, is ready without a model, keeps others out, stops in order, and starts again with no network", async () => {
  const first = run("--enroll", token, "--name", "station-1", "--label", "city=seattle");
  const { url, ...rest } = await first.ready();
  expect(rest).toEqual({ ready: true });
  expect(await (await fetch(`${url}/v2/health/ready`)).json()).toEqual({ live: true, ready: true });
  expect(await (await fetch(`${url}/v2/models`)).json()).toEqual({ models: [] });

  const second = await run("--json").ended;
  expect(second.code).toBe(1);
  expect(JSON.parse(second.err.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ error: { code: "conflict" } });

  first.child.kill("SIGTERM");
  const { code, out, err } = await first.ended;
  expect(code).toBe(0);
  expect(out.trimEnd().split("\n")).toHaveLength(1);
  for (const line of err.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("level");
  expect(await readdir(home)).not.toContain("agent.lock");

  server.closeAllConnections();
  const again = run("--enroll", token, "--name", "station-1");
  expect((await fetch(`${(await again.ready()).url}/v2`)).status).toBe(200);
  again.child.kill("SIGINT");
  expect((await again.ended).code).toBe(0);
});

test("what a person did wrong is one line that says so, and exit code 1", async () => {
  const plane = join(home, "plane");
  await mkdir(plane);
  await writeFile(join(plane, "operator.token"), "secret\n");
  const cases: [string[], RegExp][] = [
    [[], /vedette-agent --help/],
    [["run"], /--home/],
    [["run", "--home", plane], /is a control plane's/],
    [["run", "--home", home, "--port", "x"], /port is 0 to 65535/],
    [["run", "--home", home], /has joined no site.*--enroll/],
    [["run", "--home", home, "--enroll", "nonsense", "--name", "a"], /no enrolment token/],
    [["run", "--home", home, "--enroll-file", join(home, "none")], /--enroll-file .* cannot be read/],
    [["run", "--home", home, "--enroll", "-", "--name", "a"], /standard input .* is empty/],
    [["run", "--home", home, "--enroll", "a", "--enroll-file", "b"], /give one of them/],
    [["run", "--home", home, "--serve-host", "0.0.0.0"], /VEDETTE_API_KEY/],
    [["run", "--home", home, "--api-key-file", join(home, "none")], /--api-key-file/],
  ];
  for (const [options, says] of cases) {
    const { code, err, out } = await start(...options).ended;
    expect(err).toMatch(says);
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  }
});

test("the token may come where no process list shows it: from a file, standard input, or a variable", async () => {
  const file = join(home, "token");
  await writeFile(file, `${token}\n`);
  const ways: [home: string, options: string[], input: { stdin?: string; env?: Record<string, string> }][] = [
    ["by-file", ["--enroll-file", file], {}],
    ["by-stdin", ["--enroll", "-"], { stdin: `${token}\n` }],
    ["by-variable", [], { env: { VEDETTE_ENROLL_TOKEN: token } }],
  ];
  for (const [folder, options, input] of ways) {
    const flags = ["run", "--home", join(home, folder), "--port", "0", "--name", "station-1", ...options];
    const running = startWith(input, ...flags);
    expect(await running.ready()).toMatchObject({ ready: true });
    running.child.kill("SIGTERM");
    expect((await running.ended).code).toBe(0);
  }
  // Who has joined needs it no more.
  await rm(file);
  const again = start(
    "run",
    "--home",
    join(home, "by-file"),
    "--port",
    "0",
    "--enroll-file",
    file,
    "--name",
    "station-1",
  );
  expect(await again.ready()).toMatchObject({ ready: true });
});

test("a damaged folder is a failure, not a fresh start", async () => {
  await writeFile(join(home, "agent.json"), "{");
  const { code, err } = await run("--enroll", token, "--name", "station-1").ended;
  expect(err).toMatch(/enrol it anew/);
  expect(code).toBe(2);
});

test("help shows an example and the exit codes", async () => {
  const { code, out } = await start("run", "--help").ended;
  expect(code).toBe(0);
  expect(out).toMatch(/Usage: vedette-agent run/);
  expect(out).toMatch(/Example:[\s\S]*--enroll/);
  const asked = await startWith({ env: { VEDETTE_INVOKED_AS: "vedette agent" } }, "run", "--help").ended;
  expect(asked.out).toMatch(/Usage: vedette agent run/);
  expect(asked.out).not.toMatch(/vedette-agent/);
  expect(out).toMatch(/Exit codes/);
});
