/**
 * One simulated device: a disk, a clock that may be wrong, a link, and one process of the real agent after another. Its
 * requests and what became of them are the ledger that a schedule is judged by.
 */
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Agent } from "../core/agent.ts";
import { createAgent } from "../core/create-agent.ts";
import type { Crypto, DeviceKey, Random, Storage, TrustClient } from "../core/ports.ts";
import { emptyReference } from "./empty-reference.ts";
import type { Link } from "./link.ts";
import {
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  type LogEntry,
  type ManualClock,
  type MemoryDisk,
  plainCompressor,
} from "./memory-ports.ts";
import { type SimProcess, slowStorage, startProcess } from "./process.ts";
import { createStubBackend } from "./stub-backend.ts";

/** One request and its end. */
interface Asked {
  readonly model: string;
  readonly x: readonly number[];
  /** Revision that the device followed when it was asked. */
  readonly rev: number;
  /** ms of the world's monotonic time. */
  readonly at: number;
  end:
    | { readonly kind: "waiting" }
    /** The process died first: nobody heard an answer. */
    | { readonly kind: "died" }
    | { readonly kind: "refused"; readonly code: string; readonly named: boolean }
    | {
        readonly kind: "answered";
        readonly digest: string | null;
        readonly release: number | null;
        readonly answers: readonly { id: string; source: string; value: number | null }[];
      };
}

export interface SimDevice {
  readonly name: string;
  readonly disk: MemoryDisk;
  readonly link: Link;
  /** Of the process that is up. */
  readonly agent: Agent | undefined;
  readonly process: SimProcess | undefined;
  readonly asked: readonly Asked[];
  /** What its processes logged, newest last. */
  readonly log: readonly LogEntry[];
  /** Revisions in the order in which they were seen. */
  readonly revs: readonly number[];
  /** Power failures, and times at which its disk was full: after these, answered rows may be told as missing. */
  readonly harm: { powerLosses: number; fullDisks: number; kills: number };
  /** ms by which its clock is off. */
  wrongBy: number;
  /** Starts a process; another start after a while where that fails, as a service manager does. */
  start(): void;
  /** The process dies; what it appended stays. A new one starts after `restartMs`. */
  kill(restartMs: number): void;
  /** The process dies within its n-th change of the disk from now. */
  killAt(change: number, torn: number, restartMs: number): void;
  powerLoss(loss: { keep: number; undoRemoves: boolean; rot: boolean }, restartMs: number): void;
  /** Asks for one prediction a value; nothing where no process is up. */
  ask(model: string, x: readonly number[]): void;
  /** Stops the agent in order. Resolves with the timers it leaves. */
  stop(): Promise<number>;
}

export interface SimDeviceOptions {
  readonly name: string;
  readonly site: string;
  readonly world: ManualClock;
  readonly seed: number;
  readonly link: Link;
  readonly crypto: Crypto;
  readonly key: DeviceKey;
  trust(storage: Storage): TrustClient;
  readonly probation: number;
  /** Of its spools. */
  readonly spoolBytes: number;
}

const supervisorMs = 2_000;
const slowestDiskMs = 8;

export function createSimDevice(options: SimDeviceOptions): SimDevice {
  const { name, world, link, crypto } = options;
  const random: Random = createSeededRandom(options.seed);
  const disk = createMemoryDisk();
  const logger = createMemoryLogger();
  const asked: Asked[] = [];
  const revs: number[] = [];
  const harm = { powerLosses: 0, fullDisks: 0, kills: 0 };
  let process: SimProcess | undefined;
  let agent: Agent | undefined;
  let restartAfterDeath = 0;

  const noteRev = () => {
    if (agent) revs.push(agent.status().rev);
  };

  /** Whatever ended the process. */
  const ended = (restartMs: number) => {
    noteRev();
    const dying = process;
    dying?.end();
    link.cut();
    [process, agent] = [undefined, undefined];
    for (const each of asked) if (each.end.kind === "waiting") each.end = { kind: "died" };
    world.after(restartMs, () => device.start());
  };
  disk.onDeath = () => {
    harm.kills++;
    ended(restartAfterDeath);
  };

  const device: SimDevice = {
    name,
    disk,
    link,
    asked,
    log: logger.entries,
    revs,
    harm,
    wrongBy: 0,
    get agent() {
      return agent;
    },
    get process() {
      return process;
    },
    start() {
      if (process) return;
      const mine = startProcess(world, () => device.wrongBy);
      process = mine;
      const storage = slowStorage(disk.start(), mine.clock, random, slowestDiskMs);
      createAgent({
        site: options.site,
        agent: name,
        labels: {},
        abilities: { capability: 4, agent: "sim", runtime: "stub", opset: 21, kernelAbi: 1, backends: ["node-cpu"] },
        ports: {
          clock: mine.clock,
          random,
          crypto,
          key: options.key,
          storage,
          transport: link.transport(mine),
          backend: createStubBackend(mine.clock, random),
          trust: options.trust(storage),
          compressor: plainCompressor,
          log: logger,
        },
        kernels: { openReference: () => emptyReference() },
        options: {
          probation: options.probation,
          spool: { bytes: options.spoolBytes },
          schedule: (call) => queueMicrotask(call),
        },
      }).then(
        (made) => {
          if (process !== mine) return;
          agent = made;
          made.onChange(noteRev);
          noteRev();
        },
        (error: unknown) => {
          logger.error("sim.start_failed", { code: codeOf(error), why: messageOf(error) });
          if (process !== mine) return;
          mine.end();
          process = undefined;
          world.after(supervisorMs, () => device.start());
        },
      );
    },
    kill(restartMs) {
      if (!process) return;
      harm.kills++;
      disk.kill();
      ended(restartMs);
    },
    killAt(change, torn, restartMs) {
      restartAfterDeath = restartMs;
      disk.killAt(change, torn);
    },
    powerLoss({ keep, undoRemoves, rot }, restartMs) {
      harm.powerLosses++;
      disk.powerLoss({
        keep,
        undoRemoves,
        ...(rot ? { rot: (tail) => tail.set(random.bytes(Math.min(tail.length, 64)), 0) } : {}),
      });
      if (process) ended(restartMs);
    },
    ask(model, x) {
      if (!agent) return;
      const mine = process;
      const entry: Asked = { model, x, rev: agent.status().rev, at: world.monotonic(), end: { kind: "waiting" } };
      asked.push(entry);
      agent.predict({ model, rows: Float32Array.from(x) }).then(
        ({ digest, release, answers }) => {
          if (process !== mine || entry.end.kind !== "waiting") return;
          const told = answers.map(({ id, source, value }) => ({ id, source, value }));
          entry.end = { kind: "answered", digest, release, answers: told };
        },
        (error: unknown) => {
          if (process !== mine || entry.end.kind !== "waiting") return;
          entry.end = { kind: "refused", code: codeOf(error), named: error instanceof VedetteError };
        },
      );
    },
    async stop() {
      const mine = process;
      await agent?.stop();
      const left = mine?.waiting ?? 0;
      noteRev();
      [process, agent] = [undefined, undefined];
      return left;
    },
  };
  return device;
}
