/** A gateway over real slots, made anew for each test of the file, and how clients ask it. */
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { Agent, Prediction, PredictRequest } from "../../src/core/agent.ts";
import type { Logger } from "../../src/core/ports.ts";
import { type OipServer, type OipServerOptions, startOipServer } from "../../src/node/oip/server.ts";
import { createSlotAgent, type SlotAgent } from "./slot-agent.ts";

interface Rig {
  home: string;
  /** What the server logged. */
  lines: { event: string; fields: Record<string, unknown> | undefined }[];
  slots: SlotAgent;
  server: OipServer | undefined;
  /** Holds back answers while it is set. */
  gate: Promise<void> | undefined;
}
export const rig = {} as Rig;

export const log: Logger = {
  info: (event, fields) => void rig.lines.push({ event, fields }),
  warn: (event, fields) => void rig.lines.push({ event, fields }),
  error: (event, fields) => void rig.lines.push({ event, fields }),
};
export const agent = (): Agent => ({
  ...rig.slots.agent,
  async predict(request: PredictRequest): Promise<Prediction> {
    await rig.gate;
    return rig.slots.agent.predict(request);
  },
});
export async function start(options: Partial<OipServerOptions> = {}): Promise<OipServer> {
  await rig.server?.close();
  rig.server = await startOipServer({
    agent: agent(),
    log,
    version: "0.1.0",
    port: 0,
    measures: () => rig.slots.measures(),
    ...options,
  });
  return rig.server;
}

beforeEach(async () => {
  rig.home = await mkdtemp(join(tmpdir(), "vedette-gateway-"));
  rig.lines = [];
  rig.gate = undefined;
  rig.slots = await createSlotAgent(["pump", "rain"]);
});
afterEach(async () => {
  await rig.server?.close();
  rig.server = undefined;
  await rig.slots.close();
  await rm(rig.home, { recursive: true, force: true });
});

interface Told {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}
/** By hand, since fetch adds headers of its own. */
export function ask(options: RequestOptions & { body?: string; tls?: boolean; ca?: Buffer }): Promise<Told> {
  const { body, tls, ...rest } = options;
  return new Promise((resolve, reject) => {
    const made = (tls ? httpsRequest : httpRequest)({
      host: "127.0.0.1",
      port: rig.server?.port,
      agent: false,
      ...rest,
    });
    made.on("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    made.on("error", reject);
    made.end(body);
  });
}
export const body = (data: unknown = [1, 2]) =>
  JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data }] });
export const infer = (headers: Record<string, string> = {}, model = "pump", text = body()) =>
  ask({
    method: "POST",
    path: `/v2/models/${model}/infer`,
    headers: { "content-length": text.length, ...headers },
    body: text,
  });
export const get = (path: string, headers: Record<string, string> = {}) => ask({ path, headers });
export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
