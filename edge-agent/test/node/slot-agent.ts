/** An agent of real slots, each with a model that a script plays: what the ways in ask, without a network or a graph. */
import type { Agent, Measured } from "../../src/core/agent.ts";
import { openPredictionLog } from "../../src/core/log/prediction-log.ts";
import { createModelSlot, type ModelSlot } from "../../src/core/serve/model-slot.ts";
import type { ResponseCacheLimits } from "../../src/core/serve/response-cache.ts";
import { rainManifest, type Script, scriptedVersion } from "../../src/core/serve/test/rig.ts";
import { testCrypto, testKey } from "../../src/core/test/fake-peer.ts";
import {
  createManualClock,
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  plainCompressor,
} from "../../src/sim/memory-ports.ts";

export interface SlotAgent extends Measured {
  readonly agent: Agent;
  readonly script: (model: string) => Script;
  readonly clock: ReturnType<typeof createManualClock>;
  close(): Promise<void>;
}

/** Of each model version 1 serves: fields wind and temp, classes dry and rain. */
export async function createSlotAgent(
  names: readonly string[],
  options: { responseCache?: ResponseCacheLimits } = {},
): Promise<SlotAgent> {
  const clock = createManualClock();
  const disk = createMemoryDisk();
  const ports = {
    clock,
    log: createMemoryLogger(),
    storage: disk.start(),
    random: createSeededRandom(1),
    compressor: plainCompressor,
    crypto: testCrypto,
    key: testKey,
  };
  const slots = new Map<string, { slot: ModelSlot; script: Script }>();
  const closers: (() => Promise<void>)[] = [];
  for (const model of names) {
    const log = await openPredictionLog({ agent: "a1", stream: model, ports });
    const slot = createModelSlot({ model, ports, log, responseCache: options.responseCache });
    const version = scriptedVersion(clock, { manifest: rainManifest({ model }) });
    await slot.use(version);
    slots.set(model, { slot, script: version.script });
    closers.push(() => log.close());
  }
  const slotOf = (model: string) => {
    const found = slots.get(model);
    if (!found) throw new Error(`no model ${model} in this rig`);
    return found;
  };
  return {
    clock,
    script: (model) => slotOf(model).script,
    agent: {
      id: "a1",
      predict: (request) => slotOf(request.model).slot.predict(request),
      models: () =>
        [...slots].map(
          ([
            name,
            {
              slot: { version, manifest },
            },
          ]) => ({
            name,
            version: version && { digest: version.digest, release: version.release },
            manifest,
          }),
        ),
      status: () => {
        throw new Error("not asked here");
      },
      onChange: () => () => undefined,
      stop: async () => undefined,
    },
    measures: () => ({
      connected: false,
      bytes: { sent: 0, received: 0 },
      models: [...slots].map(([name, { slot }]) => ({
        name,
        release: slot.version?.release ?? null,
        digest: slot.version?.digest ?? null,
        counters: slot.counters,
        spoolBatches: 0,
        spoolRows: 0,
        drift: [],
      })),
    }),
    async close() {
      for (const close of closers) await close();
    },
  };
}
