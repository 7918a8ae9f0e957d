/** The process that `graph-apart.ts` starts and may kill: opens one graph and runs it as it is told. */
import { Worker } from "node:worker_threads";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import { type Graph, openGraph } from "./graph.ts";
import { type GraphAnswer, type GraphQuestion, overMemory } from "./graph-apart.ts";

/** As devices allow by default (build-bundle.ts), and as much again for the reference rows and their answers. */
const memoryFloor = 1024 * 1024 * 1024;
const bytesPerModelByte = 16;

// onnxruntime holds the main thread while it runs. Were the publisher killed meanwhile, nobody would end an endless graph,
// and a graph that takes memory without end would take the publisher's.
const watch = `
  const { workerData: { limitBytes, overMemory } } = require("node:worker_threads");
  const parent = process.ppid;
  const before = process.memoryUsage.rss();
  setInterval(() => {
    const grew = process.memoryUsage.rss() - before;
    if (grew > limitBytes) require("node:fs").writeSync(2, overMemory + " " + grew);
    if (grew > limitBytes || process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, 10);
`;

let graph: Graph | undefined;
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
    const limitBytes = memoryFloor + bytesPerModelByte * question.model.length;
    new Worker(watch, { eval: true, workerData: { limitBytes, overMemory } }).unref();
    graph = await openGraph(question.model);
    const { opset, domains, inputs, outputs } = graph;
    return { opened: { opset, domains, inputs, outputs } };
  }
  if (!graph) throw new Error("asked to run before a graph was opened");
  return { outputs: await graph.run(question.feeds) };
}
