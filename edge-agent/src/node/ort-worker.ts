/** The worker thread of one loaded model: ort-backend.ts sends it requests, one answer to each run. Its end frees the model. */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "@vedette/protocol/errors";
import type { TensorSpec } from "@vedette/protocol/tensors";
import { InferenceSession } from "onnxruntime-node";
import { runSession, sessionOptions, signature, type Tensors } from "./ort-tensors.ts";
import { startWatch } from "./thread-watch.ts";

interface RunRequest {
  readonly kind: "run";
  readonly id: number;
  readonly inputs: Tensors;
  readonly outputs: readonly string[];
}
/** `end` comes last, and once. */
export type WorkerRequest = RunRequest | { readonly kind: "end" };
export type WorkerMessage =
  | { kind: "loaded"; inputs: TensorSpec[]; outputs: TensorSpec[]; loadMs: number }
  | { kind: "refused"; why: string }
  | { kind: "ran"; id: number; tensors: Tensors; runMs: number }
  | { kind: "failed"; id: number; why: string };

const port = parentPort;
if (!port) throw new Error("ort-worker.ts runs as a worker thread of ort-backend.ts only");
const send = (message: WorkerMessage) => port.postMessage(message);

try {
  const took = startWatch();
  const session = await InferenceSession.create(workerData as Uint8Array, sessionOptions);
  const underWay = new Set<Promise<void>>();
  port.on("message", (request: WorkerRequest) => {
    if (request.kind === "end") return void Promise.all(underWay).then(() => port.close());
    const answered = answer(session, request).finally(() => underWay.delete(answered));
    underWay.add(answered);
  });
  const loadMs = took();
  send({
    kind: "loaded",
    inputs: signature(session.inputMetadata),
    outputs: signature(session.outputMetadata),
    loadMs,
  });
} catch (error) {
  send({ kind: "refused", why: messageOf(error) });
}

async function answer(session: InferenceSession, { id, inputs, outputs }: RunRequest): Promise<void> {
  try {
    const took = startWatch();
    const tensors = await runSession(session, inputs, outputs);
    send({ kind: "ran", id, tensors, runMs: took() });
  } catch (error) {
    send({ kind: "failed", id, why: messageOf(error) });
  }
}
