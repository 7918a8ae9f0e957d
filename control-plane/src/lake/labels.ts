/** Labels and business metrics as the other rooms see them: what the label thread does, over the lake's files of the moment. */
import { startThread, type Thread } from "../monitoring/worker-thread.ts";
import type { Clock, Labels } from "../ports.ts";
import type { LabelCalls } from "./label-worker.ts";

export function createLabels(parts: {
  inboxPath: string;
  clock: Clock;
  /** Tries to bring what has come into the lake's files. */
  flush(): Promise<unknown>;
  read<T>(wanted: { model?: string | undefined }, work: (paths: readonly string[]) => Promise<T>): Promise<T>;
  /** Whether an entity was ever erased. */
  anyErased(): Promise<boolean>;
}): { labels: Labels; forgetErased(): Promise<void>; close(): Promise<void> } {
  const { inboxPath, clock, flush, read, anyErased } = parts;
  const thread: Thread<LabelCalls> = startThread(new URL("./label-worker.ts", import.meta.url), { inboxPath });
  /** Whether labels came since they were last held against erased rows; after a start that is not known. */
  let unchecked = true;

  const labels: Labels = {
    async add(rows) {
      unchecked = true;
      return await thread.call("add", { rows, received: clock.now() });
    },
    async status() {
      await flush();
      const totals = await thread.call("totals", undefined as never);
      const models = [];
      for (const { newest, ...total } of totals) {
        const { model } = total;
        const held = await read({ model }, (paths) => thread.call("status", { model, paths }));
        models.push({
          ...total,
          ...held,
          waiting: total.labels - held.joined - held.ambiguous,
          newest: newest === null ? null : new Date(newest).toISOString(),
        });
      }
      return { models };
    },
    column: (model, original) => thread.call("column", { model, original }),
    async performance(request) {
      await flush();
      return await read(request, (paths) => thread.call("performance", { ...request, paths }));
    },
    async pairs(request) {
      await flush();
      return await read(request, (paths) => thread.call("pairs", { ...request, paths }));
    },
    async units(request) {
      await flush();
      return await read(request, (paths) => thread.call("units", { ...request, paths }));
    },
    addMetrics: (rows) => {
      if (rows.some(({ prediction }) => prediction !== null)) unchecked = true;
      return thread.call("addMetrics", { rows, received: clock.now() });
    },
    async metrics(model) {
      await flush();
      return await read({ model }, (paths) => thread.call("metrics", { model, paths }));
    },
  };
  return {
    labels,
    async forgetErased() {
      if (!unchecked || !(await anyErased())) return;
      unchecked = false;
      try {
        await read({}, (paths) => thread.call("forgetErased", { paths }));
      } catch (error) {
        unchecked = true;
        throw error;
      }
    },
    close: () => thread.close(),
  };
}
