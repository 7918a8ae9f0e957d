/**
 * The agent's HTTP server with the whole predict path behind it, against a node:http server that only reads and writes
 * JSON. Both stand in this process and take turns; the load comes from another.
 */
import { startOipServer } from "@vedette/edge-agent/node";
import type { LoadReport } from "./http-load.ts";
import { startLoader } from "./loader.ts";
import { figuresOf, interleave, median, type RoundOptions, type Subject } from "./rounds.ts";
import { agentOf, openServedMlp } from "./served-model.ts";
import { startJsonServer } from "./serving/json-server.ts";
import { modelName } from "./serving/models.ts";

interface HttpSide {
  readonly perSecond: number;
  /** Of the server's process. */
  readonly cpuMicros: number;
  /** Of the thread that reads and answers: the steadier figure where load and server share cores. */
  readonly mainMicros: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly failed: number;
}
export interface HttpResult {
  readonly connections: number;
  readonly json: HttpSide;
  readonly infer: HttpSide;
  /** infer against JSON only: of throughput, and of CPU (1 is equal, less is dearer), of all threads and of the main one. */
  readonly ratio: number;
  readonly cpuRatio: number;
  readonly mainRatio: number;
}

interface TurnReport extends LoadReport {
  readonly mainMicros: number;
}

const connections = 32;

export async function measureHttp(options: RoundOptions): Promise<HttpResult> {
  const served = await openServedMlp();
  const quiet = { info: () => undefined, warn: console.warn, error: console.error };
  const oip = await startOipServer({ agent: agentOf(served), log: quiet, version: "bench", port: 0 });
  const json = await startJsonServer();
  const loader = startLoader();
  try {
    const sides = {
      json: { port: json.port, reports: [] as TurnReport[] },
      infer: { port: oip.port, reports: [] as TurnReport[] },
    };
    const subject = (name: keyof typeof sides): Subject => ({
      name,
      async run(until) {
        const forMs = until - performance.now();
        const path = `/v2/models/${modelName}/infer`;
        const before = process.threadCpuUsage();
        const report = await loader.run({ port: sides[name].port, path, inputs: "sensors", connections, forMs });
        const { user, system } = process.threadCpuUsage(before);
        sides[name].reports.push({ ...report, mainMicros: (user + system) / report.answered });
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
        mainMicros: median(reports.map(({ mainMicros }) => mainMicros)),
        p50Micros: median(reports.map(({ p50Micros }) => p50Micros)),
        p99Micros: median(reports.map(({ p99Micros }) => p99Micros)),
        failed: sides[name].reports.reduce((sum, { failed }) => sum + failed, 0),
      };
    };
    const [a, b] = [side("json"), side("infer")];
    return {
      connections,
      json: a,
      infer: b,
      ratio: b.perSecond / a.perSecond,
      cpuRatio: a.cpuMicros / b.cpuMicros,
      mainRatio: a.mainMicros / b.mainMicros,
    };
  } finally {
    loader.end();
    json.server.close();
    await oip.close();
    await served.close();
  }
}
