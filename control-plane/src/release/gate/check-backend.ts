/**
 * What only running a version tells, on one backend: whether it answers its golden vectors, how long an answer takes, and what
 * memory it takes. In a process of its own that is ended where it takes too long or too much; talks to publish/graph-apart.ts.
 */
import type { GoldenVectors, Manifest } from "@vedette/protocol/bundle";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { feederOfGraph } from "@vedette/protocol/feeds";
import type { GateCheck } from "@vedette/protocol/gate-api";
import { checkGolden, type GraphRun, goldenInputs } from "@vedette/protocol/golden";
import { type GraphApart, openGraphApart, tookTooMuch } from "../../publish/graph-apart.ts";
import { failed, measured } from "./checks.ts";

export type GateBackend = "node-cpu" | "wasm";

/** For loading, and for each question. */
const limitMs = 60_000;
const timedRuns = 200;
/** A slow model is timed less often. */
const timedMs = 5_000;

/** Golden vectors, latency and memory of one backend. @throws VedetteError internal where the process could not be run at all. */
export async function checkBackend(
  manifest: Manifest,
  model: Uint8Array,
  golden: GoldenVectors,
  backend: GateBackend,
): Promise<GateCheck[]> {
  const { memoryBytes } = manifest.limits;
  let graph: GraphApart | undefined;
  try {
    graph = await openGraphApart(model, limitMs, { backend, memoryBytes });
    return await ask(graph, manifest, golden, backend);
  } catch (error) {
    if (!(error instanceof VedetteError) || error.code === "internal") throw error;
    return [failed(`${tookTooMuch(error) ? "memory" : "golden"}.${backend}`, messageOf(error))];
  } finally {
    await graph?.release();
  }
}

async function ask(
  graph: GraphApart,
  manifest: Manifest,
  golden: GoldenVectors,
  backend: GateBackend,
): Promise<GateCheck[]> {
  const run: GraphRun = async (feeds) => {
    const answers = await graph.run(feeds);
    return Object.fromEntries(Object.entries(answers).map(([name, { data }]) => [name, data]));
  };
  const { wrong, share } = await checkGolden(manifest, golden, run, backend);
  const rows = `${golden.rows.length} golden rows`;
  const agreement = measured(`golden.${backend}`, {
    ...{ measured: Number.isFinite(share) ? share : null, limit: 1, unit: "of the tolerance" },
    passed: wrong === null,
    why: wrong ?? `${rows} come out as published, ${agreeing(share)}`,
  });
  const { latencyMs, memoryBytes } = manifest.limits;
  const feeds = feederOfGraph(manifest.runtime.inputs, manifest.input.fields)(goldenInputs(manifest, golden, 0, 1), 1);
  const { ms, peakBytes } = await graph.time(feeds, timedRuns, timedMs);
  const p99 = quantile(ms, 0.99);
  return [
    agreement,
    measured(`latency.${backend}`, {
      ...{ measured: p99, limit: latencyMs, unit: "ms" },
      passed: p99 <= latencyMs,
      why: `p99 of ${ms.length} answers to one row took ${p99.toPrecision(3)} ms on the control plane's machine, of ${latencyMs} ms`,
    }),
    measured(`memory.${backend}`, {
      ...{ measured: peakBytes, limit: memoryBytes, unit: "bytes" },
      passed: peakBytes <= memoryBytes,
      why: `its process grew by ${mib(peakBytes)} MiB at most, of ${mib(memoryBytes)} MiB`,
    }),
  ];
}

/** @param share of its tolerance that the farthest value is off by. */
function agreeing(share: number): string {
  if (share === 0) return "each value exactly";
  const percent = share < 1e-4 ? "under 0.01" : String(Number((100 * share).toPrecision(2)));
  return `the farthest off by ${percent} % of its tolerance`;
}

/** The least value that a share of them does not exceed. @param values one or more. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
