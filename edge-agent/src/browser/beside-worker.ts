/** The worker of one model that is asked beside a page's answers: `beside-backend.ts` starts, asks and ends it. */
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Session } from "../core/ports.ts";
import type { BesideReply, BesideTask } from "./beside-backend.ts";
import { createOrtWebBackend } from "./ort-web-backend.ts";

let session: Session | undefined;

addEventListener("message", ({ data }: MessageEvent<BesideTask>) => {
  answer(data)
    .catch((error: unknown): BesideReply => {
      const code = codeOf(error) === "invalid_model" ? "invalid_model" : "model_failed";
      return { id: data.id, failed: { code, message: messageOf(error) } };
    })
    .then((said) => postMessage(said))
    .catch((error: unknown) => reportError(error));
});

async function answer(task: BesideTask): Promise<BesideReply> {
  const { id } = task;
  if ("load" in task) {
    session = await createOrtWebBackend(new URL(task.assets)).load(task.load);
    return { id, loaded: { inputs: session.inputs, outputs: session.outputs } };
  }
  if (!session) throw new VedetteError("model_failed", "no model was loaded here");
  const began = performance.now();
  const tensors = await session.run(task.inputs, task.outputs);
  return { id, tensors, runMs: performance.now() - began };
}
