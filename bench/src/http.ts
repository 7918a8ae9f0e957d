/**
 * The agent's HTTP server with the whole predict path behind it, against a node:http server that only reads and writes
 * JSON. Both stand in this process and take turns; the load comes from another.
 */
import { fork } from "node:child_process";
import { createServer, type Server } from "node:http";
import { startOipServer } from "@vedette/edge-agent/node";
import type { Agent } from "../../edge-agent/src/core/agent.ts";
import type { LoadOrder, LoadReport } from "./http-load.ts";
import { figuresOf, interleave, median, type RoundOptions, type Subject } from "./rounds.ts";
import { modelName, openServedModel, type ServedModel } from "./served-model.ts";

interface HttpSide {
  readonly perSecond: number;
  /** Of the server's process. */
  readonly cpuMicros: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly failed: number;
}
export interface HttpResult {
  readonly connections: number;
  readonly json: HttpSide;
  readonly infer: HttpSide;
  /** infer against JSON only: of throughput, and of CPU (1 is equal, less is dearer). */
  readonly ratio: number;
  readonly cpuRatio: number;
}

const connections = 32;

export async function measureHttp(options: RoundOptions): Promise<HttpResult> {
  const served = await openServedModel();
  const quiet = { info: () => undefined, warn: console.warn, error: console.error };
  const oip = await startOipServer({ agent: agentOf(served), log: quiet, version: "bench", port: 0 });
  const json = await startJsonServer();
  const loader = startLoader();
  try {
    const sides = {
      json: { port: json.port, reports: [] as LoadReport[] },
      infer: { port: oip.port, reports: [] as LoadReport[] },
    };
    const subject = (name: keyof typeof sides): Subject => ({
      name,
      async run(until) {
        const forMs = until - performance.now();
        const path = `/v2/models/${modelName}/infer`;
        const report = await loader.run({ port: sides[name].port, path, connections, forMs });
        sides[name].reports.push(report);
        return report.answered;
      },
      ...(name === "infer" && { settle: async () => void (await served.settle()) }),
    });
    const all = await interleave([subject("json"), subject("infer")], options);
    const side = (name: keyof typeof sides): HttpSide => {
      // The first report is of the round that warms up.
      const reports = sides[name].reports.slice(1);
      return {
        perSecond: median(reports.map(({ answered, seconds }) => answered / seconds)),
        cpuMicros: figuresOf(all, name).cpuMicros,
        p50Micros: median(reports.map(({ p50Micros }) => p50Micros)),
        p99Micros: median(reports.map(({ p99Micros }) => p99Micros)),
        failed: sides[name].reports.reduce((sum, { failed }) => sum + failed, 0),
      };
    };
    const [a, b] = [side("json"), side("infer")];
    return { connections, json: a, infer: b, ratio: b.perSecond / a.perSecond, cpuRatio: a.cpuMicros / b.cpuMicros };
  } finally {
    loader.end();
    json.server.close();
    await oip.close();
    await served.close();
  }
}

/** The slot as the way in sees it. */
function agentOf({ slot, version }: ServedModel): Agent {
  const { digest, release, manifest } = version;
  const models = [{ name: modelName, version: { digest, release }, manifest }];
  return {
    id: "bench-1",
    predict: (request) => slot.predict(request),
    models: () => models,
    status() {
      throw new Error("the bench reports no status");
    },
    onChange: () => () => undefined,
    stop: async () => undefined,
  };
}

/** What any JSON service must do: read the body, parse it, and answer something of like shape that depends on it. */
async function startJsonServer(): Promise<{ server: Server; port: number }> {
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      const { inputs } = JSON.parse(Buffer.concat(parts).toString()) as { inputs: [{ data: number[] }] };
      const data = inputs[0].data.slice(0, 3);
      const text = JSON.stringify({ outputs: [{ name: "logits", datatype: "FP32", shape: [1, 3], data }] });
      outgoing.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
      outgoing.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the server has no port");
  return { server, port: address.port };
}

function startLoader() {
  const child = fork(new URL("./http-load.ts", import.meta.url), { stdio: "inherit" });
  return {
    run: (order: LoadOrder): Promise<LoadReport> =>
      new Promise((resolve, reject) => {
        const gone = (code: number | null): void => reject(new Error(`the load generator ended with code ${code}`));
        child.once("exit", gone);
        child.once("message", (report: LoadReport) => {
          child.off("exit", gone);
          resolve(report);
        });
        child.send(order);
      }),
    end: () => child.disconnect(),
  };
}
