/** One device on memory ports against the fake peer; each `start` is a new process on the same disk. */

import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { emptyReference } from "../../sim/empty-reference.ts";
import {
  createManualClock,
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  plainCompressor,
  settle,
} from "../../sim/memory-ports.ts";
import { type AgentOptions, createAgent } from "../create-agent.ts";
import type { Backend, Clock } from "../ports.ts";
import {
  agentName,
  createFakePeer,
  createFakeTransport,
  createFakeTrust,
  type FakeModel,
  site,
  testCrypto,
  testKey,
} from "./fake-peer.ts";

/** Runs the "models" of the fake peer. A run takes `runMs` by this backend's own idea of time. */
function createFakeBackend(took: (ms: number) => void, loaded: number[], loading?: () => Promise<void>): Backend {
  return {
    name: "node-cpu",
    async load(bytes) {
      await loading?.();
      let model: FakeModel;
      try {
        model = JSON.parse(fromUtf8(bytes)) as FakeModel;
      } catch (cause) {
        throw new VedetteError("invalid_model", "not a model that this runtime takes", { cause });
      }
      let runs = 0;
      loaded.push(model.scale);
      const released = (scale: number) => void loaded.splice(loaded.indexOf(scale), 1);
      return {
        inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
        outputs: [{ name: model.output ?? "y", datatype: "FP32", shape: [-1, 1] }],
        async run(inputs, outputs) {
          const x = inputs.x?.data as Float32Array;
          const { afterRuns = Infinity, forRuns = Infinity, answer } = model.later ?? {};
          const trouble = ++runs > afterRuns && runs <= afterRuns + forRuns ? answer : undefined;
          took(trouble === "slow" ? 1000 : (model.runMs ?? 0));
          if (trouble === "hang") return new Promise<never>(() => {});
          if (trouble === "throw") throw new VedetteError("model_failed", "the model threw");
          const scale = trouble === "nan" ? Number.NaN : model.scale;
          const y = { datatype: "FP32" as const, shape: [x.length, 1], data: x.map((value) => value * scale) };
          return Object.fromEntries(outputs.map((name) => [name, y]));
        },
        async release() {
          released(model.scale);
        },
      };
    },
  };
}

export const wall = Date.UTC(2026, 0, 1);

export function createDevice() {
  const disk = createMemoryDisk();
  let sid = 0;
  let now = () => wall;
  const peer = createFakePeer({ now: () => now() });
  return {
    disk,
    peer,
    /** A new process. Its clock shows `deviceClock` where that is given, while the peer's is right. */
    async start(
      options: {
        deviceClock?: number;
        probation?: number;
        dataBytesPerDay?: number;
        endsAbruptly?: boolean;
        shadow?: AgentOptions["shadow"];
        /** What this device has; each version may take 1 GB. */
        memoryBytes?: number;
        /** What each load of its backend waits for first. */
        loading?: () => Promise<void>;
      } = {},
    ) {
      const clock = createManualClock(options.deviceClock ?? wall);
      now = () => wall + Math.floor(clock.monotonic());
      const transport = createFakeTransport(peer, ++sid);
      const log = createMemoryLogger();
      let slow = 0;
      /** Scales of the models that are in memory. */
      const loaded: number[] = [];
      const timed: Clock = { now: clock.now, after: clock.after, monotonic: () => clock.monotonic() + slow };
      const agent = await createAgent({
        site,
        agent: agentName,
        labels: {},
        abilities: {
          ...{ capability: 4, agent: "test", runtime: "fake", opset: 20, kernelAbi: 1, backends: ["node-cpu"] },
          ...(options.memoryBytes !== undefined && { memoryBytes: options.memoryBytes }),
        },
        ports: {
          clock: timed,
          random: createSeededRandom(sid),
          crypto: testCrypto,
          key: testKey,
          storage: disk.start(),
          transport,
          backend: createFakeBackend(
            (ms) => {
              slow += ms;
            },
            loaded,
            options.loading,
          ),
          trust: createFakeTrust(),
          compressor: plainCompressor,
          log,
        },
        kernels: { openReference: () => emptyReference() },
        options: {
          probation: options.probation ?? 3,
          dataBytesPerDay: options.dataBytesPerDay ?? null,
          endsAbruptly: options.endsAbruptly ?? false,
          shadow: options.shadow,
          times: { helloJitterMs: 1000 },
          schedule: (call) => queueMicrotask(call),
        },
      });
      return {
        agent,
        clock,
        log,
        loaded,
        transport,
        async connect() {
          transport.connect();
          await clock.advance(1000);
        },
        predict: async (x: number, model = "rain") => {
          const asked = agent.predict({ model, rows: Float32Array.of(x) });
          const [prediction] = await Promise.all([asked, clock.advance(0)]);
          await settle();
          return prediction.answers[0];
        },
        /** Asks 1 of an entity: who answered what. */
        askOf: async (entity: string) => {
          const asked = agent.predict({ model: "rain", rows: Float32Array.of(1), entity });
          const [{ release, answers }] = await Promise.all([asked, clock.advance(0)]);
          await settle();
          const { value, id, source } = answers[0] ?? { value: null, id: "", source: "none" };
          return { release, value, id, source };
        },
        slot: (model = "rain") => agent.status().slots.find((slot) => slot.model === model),
      };
    },
  };
}

/** A device that serves release 1 (y = 2x), and is online. */
export async function servingDevice(memoryBytes?: number) {
  const device = createDevice();
  const first = device.peer.publish("rain", 1, { scale: 2 });
  device.peer.assign(first);
  const run = await device.start(memoryBytes === undefined ? {} : { memoryBytes });
  await run.connect();
  for (let i = 0; i < 3; i++) await run.predict(1);
  if (run.slot()?.serving?.digest !== first.digest) throw new Error("the device does not serve its first release");
  return { ...device, first, run };
}
