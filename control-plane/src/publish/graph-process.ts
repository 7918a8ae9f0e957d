/** The process that `graph-apart.ts` starts and may kill: opens one graph and runs it as it is told. */
import { Worker } from "node:worker_threads";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import { type Graph, openGraph } from "./graph.ts";
import type { GraphAnswer, GraphQuestion } from "./graph-apart.ts";

// onnxruntime holds the main thread while it runs. Were the publisher killed meanwhile, nobody would end an endless graph.
const watch = `
  const parent = process.ppid;
  setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, 1000);
`;
new Worker(watch, { eval: true }).unref();

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
    graph = await openGraph(question.model);
    const { opset, inputs, outputs } = graph;
    return { opened: { opset, inputs, outputs } };
  }
  if (!graph) throw new Error("asked to run before a graph was opened");
  return { outputs: await graph.run(question.feeds) };
}
