/** A process of ours that is measured or makes load: one order at a time, one answer each. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { messageOf } from "@vedette/protocol/errors";

type Answer = { readonly value: unknown } | { readonly error: string };

/** What a helper does: plain data in, plain data out. */
export type Tasks = Record<string, (input: never) => unknown>;

export interface Helper<T extends Tasks> {
  readonly pid: number;
  /** @throws with what the helper said, or that it ended. */
  ask<K extends keyof T & string>(name: K, input: Parameters<T[K]>[0]): Promise<Awaited<ReturnType<T[K]>>>;
  /** Ends it, and resolves when it has ended. */
  end(): Promise<void>;
}

/** @param as flags and variables of its Node. */
export function startHelper<T extends Tasks>(
  module: URL,
  as: { readonly execArgv?: string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Helper<T> {
  const { execArgv = [], env = {} } = as;
  const child = fork(module, {
    stdio: "inherit",
    serialization: "advanced",
    execArgv,
    env: { ...process.env, ...env },
  });
  const exit = once(child, "exit");
  return {
    pid: child.pid ?? -1,
    async ask(name, input) {
      const gone = new AbortController();
      const { signal } = gone;
      child.send({ name, input });
      const [answer] = (await Promise.race([
        once(child, "message", { signal }),
        once(child, "exit", { signal }).then(([code]) => {
          throw new Error(`${module.pathname} ended with ${code} at ${name}`);
        }),
      ]).finally(() => gone.abort())) as [Answer];
      if ("error" in answer) throw new Error(`${name}: ${answer.error}`);
      return answer.value as never;
    },
    async end() {
      if (child.connected) child.disconnect();
      await exit;
    },
  };
}

/** Within a helper: does what it is asked. */
export function serveTasks(tasks: Tasks): void {
  process.on("message", ({ name, input }: { name: string; input: never }) => {
    const run = async () => tasks[name]?.(input);
    run().then(
      (value) => process.send?.({ value } satisfies Answer),
      (error: unknown) => process.send?.({ error: messageOf(error) } satisfies Answer),
    );
  });
  // Whatever it has open, it goes with the one who started it.
  process.on("disconnect", () => process.exit());
}
