/**
 * One model to many devices: the agent's fetch protocol on our broker, beside bare subscribers of the same chunks on aedes
 * as it comes; and what a model costs of which one in a hundred weights changed.
 */
import { median } from "../rounds.ts";
import type { DeliveryDevicesTasks, Fetched } from "./delivery-devices.ts";
import type { Chunk, DeliveryServerTasks } from "./delivery-server.ts";
import { startHelper } from "./helper.ts";

export const deliverySides = ["bare", "hashing", "light", "mixed", "layer", "scattered"] as const;
export interface DeliverySide {
  /** Medians over the rounds: from the first subscription to the last chunk of all devices. */
  readonly seconds: number;
  readonly brokerCpuSeconds: number;
  /** Of payloads, all devices. */
  readonly bytes: number;
}
export interface DeliveryResult {
  readonly modelBytes: number;
  readonly chunks: number;
  readonly devices: number;
  /** Of `mixed`: so many of the devices are the agent's own receive room over mqtt.js. */
  readonly real: number;
  readonly sides: Record<(typeof deliverySides)[number], DeliverySide>;
  /** light / bare, of seconds and of broker CPU; `equalWork`: of seconds, where the bare ones hash what they get too. */
  readonly ratio: number;
  readonly equalWork: number;
  readonly cpuRatio: number;
}

export interface DeliveryOptions {
  readonly rounds: number;
  readonly devices: number;
  readonly real: number;
  readonly modelBytes: number;
}

/** The first round only warms up. */
export async function measureDelivery({ rounds, devices, real, modelBytes }: DeliveryOptions): Promise<DeliveryResult> {
  const server = startHelper<DeliveryServerTasks>(new URL("./delivery-server.ts", import.meta.url));
  const load = startHelper<DeliveryDevicesTasks>(new URL("./delivery-devices.ts", import.meta.url));
  try {
    const ports = await server.ask("ports", undefined as never);
    const { full, layer, scattered } = await server.ask("offer", modelBytes);
    const known = new Set(full.map(({ sha256 }) => sha256));
    const fresh = (chunks: readonly Chunk[]) => chunks.filter(({ sha256 }) => !known.has(sha256));
    const plans = {
      bare: { port: ports.bare, kind: "bare", count: devices, real: 0, chunks: full },
      hashing: { port: ports.bare, kind: "hashing", count: devices, real: 0, chunks: full },
      light: { port: ports.vedette, kind: "light", count: devices, real: 0, chunks: full },
      mixed: { port: ports.vedette, kind: "light", count: devices - real, real, chunks: full },
      layer: { port: ports.vedette, kind: "light", count: devices, real: 0, chunks: fresh(layer) },
      scattered: { port: ports.vedette, kind: "light", count: devices, real: 0, chunks: fresh(scattered) },
    } as const;
    const turns = new Map(deliverySides.map((side) => [side, [] as (Fetched & { cpu: number })[]]));
    for (let round = 0; round <= rounds; round++) {
      for (const side of deliverySides) {
        await server.ask("cpu", undefined as never);
        const fetched = await load.ask("fetch", { ...plans[side], prefix: `${side}-${round}` });
        const cpu = await server.ask("cpu", undefined as never);
        if (round > 0) turns.get(side)?.push({ ...fetched, cpu });
      }
    }
    await server.ask("close", undefined as never);
    const sideOf = (side: (typeof deliverySides)[number]): DeliverySide => {
      const all = turns.get(side) ?? [];
      return {
        seconds: median(all.map(({ seconds }) => seconds)),
        brokerCpuSeconds: median(all.map(({ cpu }) => cpu)),
        bytes: median(all.map(({ bytes }) => bytes)),
      };
    };
    const [bare, light] = [sideOf("bare"), sideOf("light")];
    const rest = {
      hashing: sideOf("hashing"),
      mixed: sideOf("mixed"),
      layer: sideOf("layer"),
      scattered: sideOf("scattered"),
    };
    return {
      modelBytes,
      chunks: full.length,
      devices,
      real,
      sides: { bare, light, ...rest },
      ratio: light.seconds / bare.seconds,
      equalWork: light.seconds / rest.hashing.seconds,
      cpuRatio: light.brokerCpuSeconds / bare.brokerCpuSeconds,
    };
  } finally {
    await load.end();
    await server.end();
  }
}
