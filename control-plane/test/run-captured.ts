/** The `vedette` command within this process, and what it printed. */
import type { Io } from "../src/cli/io.ts";
import { runCli } from "../src/cli/run-cli.ts";

/** @param over what the process is to be like; without: no environment, no terminal, this moment. */
export async function runCaptured(args: readonly string[], over: Partial<Io> = {}) {
  let [out, err] = ["", ""];
  const code = await runCli([...args], {
    env: {},
    terminal: false,
    screen: false,
    columns: () => 80,
    pause: async () => {},
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    now: () => Date.now(),
    monotonic: () => performance.now(),
    run: () => Promise.reject(new Error("nothing is run here")),
    interrupted: async () => {},
    ...over,
  });
  return { code, out, err };
}
