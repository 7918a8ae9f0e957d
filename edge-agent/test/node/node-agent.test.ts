/** Every Node adapter at once: joins, installs a signed model over a real broker, serves it, logs it, and starts offline. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Logger } from "../../src/core/ports.ts";
import { type RunningAgent, runAgent } from "../../src/node/run-agent.ts";
import { TestSite } from "./site.ts";

// Processes, threads and sockets: on a busy machine they take their time.
vi.setConfig({ testTimeout: 60_000 });
let home: string;
let site: TestSite;
let token: string;
let running: RunningAgent | undefined;
let logged: string[];
const note = (event: string, fields?: Record<string, unknown>) =>
  void logged.push(`${event} ${JSON.stringify(fields)}`);
const log: Logger = { info: note, warn: note, error: note };

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-agent-"));
  site = await TestSite.start();
  token = site.token;
  logged = [];
});
afterEach(async () => {
  await running?.stop();
  await site.close().catch(() => undefined); // one test closes it itself
  await rm(home, { recursive: true, force: true });
});

const run = async () => {
  running = await runAgent({ home, log, port: 0, enrolment: { token, agent: "station-1" } });
  return running.url;
};
async function infer(url: string) {
  const inputs = [{ name: "x", shape: [2, 2], datatype: "FP32", data: [0, 1, 3, 1] }];
  const response = await fetch(`${url}/v2/models/rain/infer`, {
    method: "POST",
    body: JSON.stringify({ id: "r", inputs }),
  });
  return {
    status: response.status,
    body: (await response.json()) as { outputs: { data: number[] }[]; model_version: string },
  };
}
const serves = (url: string) =>
  vi.waitFor(
    async () => {
      const { status, body } = await infer(url);
      expect(status, `${JSON.stringify(body)}\n${logged.join("\n")}`).toBe(200);
      return body;
    },
    { timeout: 15_000, interval: 100 },
  );

test("installs what is signed and assigned, serves it, sends its log, and starts again with no network at all", async () => {
  await site.release();
  const body = await serves(await run());
  expect(body.model_version).toBe("3");
  expect(body.outputs[1]?.data).toEqual([1, 0]);
  expect(body.outputs[0]?.data[1]).toBeCloseTo(1 / (1 + Math.exp(-1)), 5);

  // What was logged is cut to disk by the stop, and sent at the latest when the next start is connected.
  await running?.stop();
  await run();
  // What was asked before a version served was answered too, by none.
  const served = () => site.batches.find(({ header }) => header.release === 3);
  await vi.waitFor(() => expect(served()).toBeDefined(), { timeout: 10_000 });
  const before = site.batches.filter(({ header }) => header.release === null);
  expect(served()?.header).toMatchObject({
    agent: "station-1",
    stream: "rain",
    firstN: before.reduce((sum, { header }) => sum + header.count, 0),
    missing: [],
  });
  expect(served()?.columns["in:temp"]?.slice(0, 2)).toEqual(Float32Array.of(0, 3));
  await running?.stop();

  await site.close();
  // Ready does not wait for a version on probation, which is loaded and proven anew.
  expect((await serves(await run())).model_version).toBe("3");
});

test("a model whose metadata was tampered with is never served", async () => {
  await site.release();
  const file = `${site.repository.state.versions.project}.project-rain.json`;
  site.repository.files.set(file, (site.repository.files.get(file) ?? "").replace('"release":3', '"release":4'));
  const url = await run();
  await vi.waitFor(() => expect(logged.join("\n")).toContain("bad_signature"), { timeout: 10_000 });
  expect((await infer(url)).status).not.toBe(200);
});
