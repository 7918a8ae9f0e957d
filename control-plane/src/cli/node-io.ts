/** The real process behind the commands. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { VedetteError } from "@vedette/protocol/errors";
import type { Io } from "./io.ts";

/** Node ends a longer one at once. */
const longestTimerMs = 2 ** 31 - 1;
const endings = ["SIGINT", "SIGTERM"] as const;

export const nodeIo: Io = {
  env: process.env,
  terminal: process.stderr.isTTY,
  screen: process.stdout.isTTY,
  columns: () => process.stdout.columns || 80,
  pause: (ms) => new Promise((resolve) => void setTimeout(resolve, Math.min(ms, longestTimerMs))),
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  now: () => Date.now(),
  monotonic: () => performance.now(),
  run: (file, args, stdout, env) =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [file, ...args], {
        stdio: ["inherit", stdout === "answer" ? 1 : 2, 2],
        env: { ...process.env, ...env },
      });
      // Listening keeps the signal from ending us before the child has said goodbye.
      const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
      for (const signal of endings) process.on(signal, forward);
      const done = (): void => {
        for (const signal of endings) process.off(signal, forward);
      };
      child.once("error", (cause) => {
        done();
        reject(new VedetteError("internal", `${file} could not be started: ${cause.message}`, { cause }));
      });
      child.once("exit", (code, signal) => {
        done();
        resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
      });
    }),
  interrupted: () =>
    new Promise((resolve) => {
      for (const signal of endings) process.once(signal, () => resolve());
    }),
};
