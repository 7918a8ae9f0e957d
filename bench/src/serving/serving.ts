/**
 * The agent's HTTP server beside other servers of the same model, each a process of its own. All of them stand ready, and
 * take turns under the same load; CPU is that of the server's processes alone.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadReport } from "../http-load.ts";
import { type Loader, startLoader } from "../loader.ts";
import { median } from "../rounds.ts";
import { type BenchModel, benchModel, type ModelKind } from "./models.ts";
import { type ServerProcess, startServer } from "./server-process.ts";
import { type ServerKind, type ServerName, serverKind } from "./servers.ts";

export interface ServingOptions {
  readonly servers: readonly ServerName[];
  readonly models: readonly ModelKind[];
  readonly connections: readonly number[];
  readonly rounds: number;
  /** ms of one turn. */
  readonly turnMs: number;
}
/** Medians over the rounds; CPU over all of them together, since it is counted in ticks of 10 ms. */
export interface ServingFigures {
  readonly server: ServerName;
  readonly connections: number;
  readonly perSecond: number;
  /** CPU µs a request, of the server's processes. */
  readonly cpuMicros: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  /** Answers that were no 200. */
  readonly failed: number;
}
/** How long a server takes to say that it lives, while requests of the model run on 4 connections. */
interface HealthFigures {
  readonly server: ServerName;
  readonly asked: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}
export interface ModelFigures {
  readonly model: ModelKind;
  readonly title: string;
  readonly figures: readonly ServingFigures[];
  readonly health: readonly HealthFigures[];
}

interface Turn extends LoadReport {
  readonly cpuSeconds: number;
}
interface Standing {
  readonly kind: ServerKind;
  readonly process: ServerProcess;
}

const healthConnections = 4;
const healthEveryMs = 5;

export async function measureServing(options: ServingOptions): Promise<ModelFigures[]> {
  const results: ModelFigures[] = [];
  for (const kind of options.models) results.push(await measureModel(benchModel(kind), options));
  return results;
}

async function measureModel(model: BenchModel, options: ServingOptions): Promise<ModelFigures> {
  const home = await mkdtemp(join(tmpdir(), "vedette-serving-"));
  const standing: Standing[] = [];
  const loaders = [startLoader(), startLoader()] as const;
  try {
    const file = join(home, "model.onnx");
    await writeFile(file, model.file());
    for (const name of options.servers) {
      const kind = serverKind(name);
      const command = (port: number) => kind.command(model.kind, file, port);
      standing.push({ kind, process: await startServer(name, command, kind.healthPath) });
    }
    const turns = await takeTurns(standing, model, loaders[0], options);
    const health: HealthFigures[] = [];
    for (const server of standing) health.push(await measureHealth(server, model, loaders, options));
    return { model: model.kind, title: model.title, figures: figuresOf(turns, options), health };
  } finally {
    for (const loader of loaders) loader.end();
    for (const { process } of standing) await process.end();
    await rm(home, { recursive: true });
  }
}

function keyOf(server: ServerName, connections: number): string {
  return `${server} ${connections}`;
}

/** The first round only warms up. */
async function takeTurns(
  standing: readonly Standing[],
  { inputs }: BenchModel,
  loader: Loader,
  { connections: counts, rounds, turnMs }: ServingOptions,
): Promise<Map<string, Turn[]>> {
  const turns = new Map<string, Turn[]>();
  for (let round = 0; round <= rounds; round++) {
    for (const connections of counts) {
      for (const { kind, process } of standing) {
        const before = await process.cpuSeconds();
        const order = { port: process.port, path: kind.inferPath, inputs, connections, forMs: turnMs };
        const report = await loader.run(order);
        const cpuSeconds = (await process.cpuSeconds()) - before;
        if (round === 0) continue;
        const key = keyOf(kind.name, connections);
        turns.set(key, [...(turns.get(key) ?? []), { ...report, cpuSeconds }]);
      }
    }
  }
  return turns;
}

function figuresOf(turns: ReadonlyMap<string, readonly Turn[]>, { servers, connections }: ServingOptions) {
  return connections.flatMap((count) =>
    servers.map((server): ServingFigures => {
      const own = turns.get(keyOf(server, count)) ?? [];
      const sum = (of: (turn: Turn) => number): number => own.reduce((total, turn) => total + of(turn), 0);
      const middle = (of: (turn: Turn) => number): number => median(own.map(of));
      return {
        server,
        connections: count,
        perSecond: middle(({ answered, seconds }) => answered / seconds),
        cpuMicros: (sum(({ cpuSeconds }) => cpuSeconds) / sum(({ answered }) => answered)) * 1e6,
        p50Micros: middle(({ p50Micros }) => p50Micros),
        p99Micros: middle(({ p99Micros }) => p99Micros),
        failed: sum(({ failed }) => failed),
      };
    }),
  );
}

async function measureHealth(
  { kind, process }: Standing,
  { inputs }: BenchModel,
  [load, probe]: readonly [Loader, Loader],
  { rounds, turnMs }: ServingOptions,
): Promise<HealthFigures> {
  const forMs = rounds * turnMs;
  const { port } = process;
  const [report] = await Promise.all([
    probe.run({ port, path: kind.healthPath, inputs: "nothing", connections: 1, forMs, everyMs: healthEveryMs }),
    load.run({ port, path: kind.inferPath, inputs, connections: healthConnections, forMs }),
  ]);
  const { answered, p50Micros, p99Micros } = report;
  return { server: kind.name, asked: answered, p50Micros, p99Micros };
}
