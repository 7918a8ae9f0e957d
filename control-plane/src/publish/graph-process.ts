/** The process that `graph-apart.ts` starts and may kill: opens one graph and runs it as it is told. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { Tensor } from "@vedette/protocol/tensors";
import type { Graph } from "./graph.ts";
import { type GraphAnswer, type GraphQuestion, overMemory } from "./graph-apart.ts";

/** As devices allow by default (build-bundle.ts), and as much again for the reference rows and their answers. */
const memoryFloor = 1024 * 1024 * 1024;
const bytesPerModelByte = 16;
const warmUpRuns = 5;

// onnxruntime holds the main thread while it runs. Were the publisher killed meanwhile, nobody would end an endless graph,
// and a graph that takes memory without end would take the publisher's.
const watch = `
  const { parentPort, workerData: { limitBytes, overMemory, peak } } = require("node:worker_threads");
  const parent = process.ppid;
  const before = process.memoryUsage.rss();
  const look = () => {
    const grew = process.memoryUsage.rss() - before;
    peak[0] = Math.max(peak[0], grew);
    if (grew > limitBytes) require("node:fs").writeSync(2, overMemory + " " + grew);
    if (grew > limitBytes || process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  };
  setInterval(look, 10);
  parentPort.postMessage("ready");
`;

let graph: Graph | undefined;
/** Largest growth since the runtime was ready, bytes; written by the watch. */
const peak = new Float64Array(new SharedArrayBuffer(8));
process.on("message", (question: GraphQuestion) => {
  answer(question)
    .catch((error: unknown): GraphAnswer => ({ error: { code: codeOf(error), message: messageOf(error) } }))
    .then((said) => process.send?.(said))
    .catch((error: unknown) => {
      process.stderr.write(`${messageOf(error)}\n`);
      process.exit(1);
    });
});

async function answer(question: GraphQuestion): Promise<GraphAnswer> {
  if (question.kind === "open") {
    const { model, backend, memoryBytes = memoryFloor + bytesPerModelByte * model.length } = question;
    const open = await runtimeOf(backend);
    const watching = new Worker(watch, { eval: true, workerData: { limitBytes: memoryBytes, overMemory, peak } });
    await once(watching, "message");
    watching.unref();
    graph = await open(model);
    const { opset, domains, inputs, outputs } = graph;
    return { opened: { opset, domains, inputs, outputs } };
  }
  if (!graph) throw new Error("asked to run before a graph was opened");
  if (question.kind === "run") return { outputs: await graph.run(question.feeds) };
  return { cost: { ms: await time(graph, question.feeds, question.runs, question.forMs), peakBytes: peak[0] ?? 0 } };
}

/** Only the runtime that is asked for is loaded: it is ready before memory is counted. */
async function runtimeOf(backend: "node-cpu" | "wasm"): Promise<(model: Uint8Array) => Promise<Graph>> {
  if (backend === "node-cpu") return (await import("./graph.ts")).openGraph;
  const { openWebGraph, warmUpWeb } = await import("./graph-web.ts");
  await warmUpWeb();
  return openWebGraph;
}

/** Times of warm runs, ms: so many, or fewer where they take longer than `forMs` together. */
async function time(
  { run }: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  runs: number,
  forMs: number,
): Promise<number[]> {
  for (let i = 0; i < warmUpRuns; i++) await run(feeds);
  const times: number[] = [];
  const end = performance.now() + forMs;
  while (times.length < runs && (times.length === 0 || performance.now() < end)) {
    const start = performance.now();
    await run(feeds);
    times.push(performance.now() - start);
  }
  return times;
}
