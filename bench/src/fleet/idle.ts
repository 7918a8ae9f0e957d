/** What a fleet costs that does nothing: memory and CPU of one control plane with so many connected devices. */
import { startHelper } from "./helper.ts";
import type { IdleDevicesTasks } from "./idle-devices.ts";
import type { IdleServerTasks } from "./idle-server.ts";

export interface IdleResult {
  readonly devices: number;
  /** Bytes resident: before the first device, when all were connected, and the most seen while they idled. */
  readonly before: number;
  readonly connected: number;
  readonly idle: number;
  readonly connectSeconds: number;
  readonly idleSeconds: number;
  /** Share of one core while they idled. */
  readonly idleCpu: number;
  /** Connections that ended by themselves. */
  readonly lost: number;
}

export interface IdleOptions {
  readonly devices: number;
  readonly idleMs: number;
}

/** @throws where not all devices are connected in the end. */
export async function measureIdle({ devices, idleMs }: IdleOptions): Promise<IdleResult> {
  // As the command `vedette up` starts itself.
  const asUp = { execArgv: ["--max-semi-space-size=8"], env: { MALLOC_ARENA_MAX: "2" } };
  const server = startHelper<IdleServerTasks>(new URL("./idle-server.ts", import.meta.url), asUp);
  const load = startHelper<IdleDevicesTasks>(new URL("./idle-devices.ts", import.meta.url));
  const nothing = undefined as never;
  try {
    const port = await server.ask("port", nothing);
    const before = await server.ask("usage", nothing);
    const { seconds: connectSeconds } = await load.ask("connect", { port, count: devices });
    const connected = await server.ask("usage", nothing);
    const started = performance.now();
    let idle = 0;
    let cpuSeconds = 0;
    while (performance.now() - started < idleMs) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, idleMs)));
      const now = await server.ask("usage", nothing);
      idle = Math.max(idle, now.resident);
      cpuSeconds += now.cpuSeconds;
      if (now.connected !== devices) throw new Error(`${now.connected} of ${devices} devices are connected`);
    }
    const idleSeconds = (performance.now() - started) / 1000;
    const lost = await load.ask("lost", nothing);
    await load.ask("close", nothing);
    await server.ask("close", nothing);
    return {
      devices,
      before: before.resident,
      connected: connected.resident,
      idle,
      connectSeconds,
      idleSeconds,
      idleCpu: cpuSeconds / idleSeconds,
      lost,
    };
  } finally {
    await load.end();
    await server.end();
  }
}
