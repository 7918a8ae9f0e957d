/**
 * Port Backend for what is asked beside a page's answers: each model in a worker of its own (`beside-worker.ts`), so that a
 * run which is slow or never ends holds up nothing, and ending the worker gives back the memory that WebAssembly never does.
 */
import { VedetteError } from "@vedette/protocol/errors";
import type { Backend, Session, Tensor } from "../core/ports.ts";
import besideUrl from "./beside-worker.ts?worker&url";
import { startWorker } from "./start-worker.ts";

/** What the worker is asked: first a load, then runs, each answered under its number. */
export type BesideTask =
  | { readonly id: number; readonly load: Uint8Array<ArrayBuffer>; readonly assets: string }
  | { readonly id: number; readonly inputs: Readonly<Record<string, Tensor>>; readonly outputs: readonly string[] };
export type BesideReply = { readonly id: number } & (
  | { readonly loaded: Pick<Session, "inputs" | "outputs"> }
  | { readonly tensors: Readonly<Record<string, Tensor>>; readonly runMs: number }
  | { readonly failed: { readonly code: "invalid_model" | "model_failed"; readonly message: string } }
);

/** @param assets folder of ONNX Runtime's files. */
export function createBesideBackend(assets: URL): Backend {
  return {
    name: "wasm",
    async load(model) {
      const worker = startWorker(new URL(besideUrl, import.meta.url), "vedette-beside");
      const waiting = new Map<number, PromiseWithResolvers<BesideReply>>();
      let nextId = 0;
      let gone: VedetteError | undefined;
      const lose = (error: VedetteError) => {
        gone ??= error;
        for (const call of waiting.values()) call.reject(gone);
        waiting.clear();
      };
      worker.onmessage = ({ data }: MessageEvent<BesideReply>) => {
        const call = waiting.get(data.id);
        waiting.delete(data.id);
        if ("failed" in data) call?.reject(new VedetteError(data.failed.code, data.failed.message));
        else call?.resolve(data);
      };
      worker.onerror = ({ message }) => {
        const why = message || "its script could not be loaded; is `agent/` served whole?";
        lose(new VedetteError("backend_unavailable", `no worker to ask the model in: ${why}`));
      };
      const ask = (task: (id: number) => BesideTask): Promise<BesideReply> => {
        if (gone) return Promise.reject(gone);
        const call = Promise.withResolvers<BesideReply>();
        const id = nextId++;
        waiting.set(id, call);
        worker.postMessage(task(id));
        return call.promise;
      };
      const release = async () => {
        worker.terminate();
        lose(new VedetteError("model_failed", "the model was released: load it again"));
      };

      let ranMs: number | undefined;
      try {
        const reply = await ask((id) => ({ id, load: model, assets: assets.href }));
        if (!("loaded" in reply)) throw new VedetteError("internal", "the worker answered its load with a run");
        return {
          ...reply.loaded,
          get ranMs() {
            return ranMs;
          },
          async run(inputs, outputs) {
            const answer = await ask((id) => ({ id, inputs, outputs }));
            if (!("tensors" in answer)) throw new VedetteError("internal", "the worker answered its run with a load");
            ranMs = answer.runMs;
            return answer.tensors;
          },
          release,
        };
      } catch (error) {
        await release();
        throw error;
      }
    },
  };
}
