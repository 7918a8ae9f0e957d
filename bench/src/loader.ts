/** Starts the load generator's process, and gives it orders. */
import { fork } from "node:child_process";
import type { LoadOrder, LoadReport } from "./http-load.ts";

export interface Loader {
  /** One order at a time. */
  run(order: LoadOrder): Promise<LoadReport>;
  end(): void;
}

export function startLoader(): Loader {
  const child = fork(new URL("./http-load.ts", import.meta.url), { stdio: "inherit" });
  return {
    run: (order) =>
      new Promise((resolve, reject) => {
        const gone = (code: number | null): void => reject(new Error(`the load generator ended with code ${code}`));
        child.once("exit", gone);
        child.once("message", (report: LoadReport) => {
          child.off("exit", gone);
          resolve(report);
        });
        child.send(order);
      }),
    end: () => child.disconnect(),
  };
}
