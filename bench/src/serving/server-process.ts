/** One server under measurement, as a process group of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { cpuSecondsOf } from "./process-cpu.ts";

export interface ServerProcess {
  readonly port: number;
  /** CPU seconds so far of it and its children. */
  cpuSeconds(): Promise<number>;
  end(): Promise<void>;
}

const readyWithinMs = 90_000;
const endWithinMs = 10_000;
const shownOutput = 2000;

/**
 * @param command of the server, given its port.
 * @param ready a path that answers 200 to a GET when it serves.
 * @throws Error with the last of what the server said, where it ends before it serves, or never does.
 */
export async function startServer(
  name: string,
  command: (port: number) => readonly string[],
  ready: string,
): Promise<ServerProcess> {
  const port = await freePort();
  const [file = "", ...args] = command(port);
  // A group of its own, since some start children that outlive them; one thread, whatever a library thinks of the machine.
  const env = { ...process.env, OMP_NUM_THREADS: "1", PYTHONUNBUFFERED: "1" };
  const child = spawn(file, args, { detached: true, stdio: ["ignore", "pipe", "pipe"], env });
  let said = "";
  const listen = (text: string): void => {
    said = (said + text).slice(-shownOutput);
  };
  child.stdout.setEncoding("utf8").on("data", listen);
  child.stderr.setEncoding("utf8").on("data", listen);
  const exited = once(child, "exit");
  const { pid } = child;
  if (pid === undefined) {
    const [error] = (await once(child, "error")) as [Error];
    throw new Error(`${name} cannot be started: ${error.message}`);
  }
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null;

  const signal = (kind: NodeJS.Signals): void => {
    try {
      process.kill(-pid, kind);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  const end = async (): Promise<void> => {
    signal("SIGTERM");
    await Promise.race([exited, delay(endWithinMs, undefined, { ref: false })]);
    // Also what is left of its group.
    signal("SIGKILL");
    if (!gone()) await exited;
  };

  const until = Date.now() + readyWithinMs;
  while (!(await answers(port, ready))) {
    if (gone() || Date.now() > until) {
      await end();
      throw new Error(`${name} did not come to serve; the last it said:\n${said}`);
    }
    await delay(50);
  }
  return { port, cpuSeconds: () => cpuSecondsOf(pid), end };
}

async function answers(port: number, path: string): Promise<boolean> {
  try {
    const { ok } = await fetch(`http://127.0.0.1:${port}${path}`);
    return ok;
  } catch {
    // Nobody listens yet.
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("no port is free");
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}
