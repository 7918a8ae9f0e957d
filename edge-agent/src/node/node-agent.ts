/** An agent on this machine, built from its folder: every port of core/ by its Node adapter. For use in process too. */
import { createRequire } from "node:module";
import { totalmem } from "node:os";
import { join } from "node:path";
import { type AgentAbilities, currentCapability } from "@vedette/protocol/capability";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { operators } from "@vedette/protocol/onnx/operators";
import { topics } from "@vedette/protocol/topics";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import type { Agent, Measured } from "../core/agent.ts";
import { closeAll } from "../core/close-all.ts";
import { type AgentOptions, createAgent } from "../core/create-agent.ts";
import type { DeviceKey, Logger } from "../core/ports.ts";
import { createTrustClient } from "../core/verify/trust-client.ts";
import type { MqttTransportOptions } from "../mqtt/transport.ts";
import { readBootId } from "./boot-id.ts";
import { type Enrolment, enroll, readEnrolment } from "./enroll.ts";
import { openFsStorage } from "./fs-storage.ts";
import { lockHome } from "./home-lock.ts";
import { loginOf } from "./login.ts";
import { createMqttTransport } from "./mqtt-transport.ts";
import { nodeCrypto, openDeviceKey } from "./node-crypto.ts";
import { createNodeProver } from "./node-prover.ts";
import { createOrtBackend } from "./ort-backend.ts";
import { createPinoLogger } from "./pino-logger.ts";
import { systemClock, systemRandom } from "./system-clock.ts";
import { createThreadPacker } from "./thread-packer.ts";
import { zstdCompressor } from "./zstd-compressor.ts";

/** Highest ONNX opset that onnxruntime-node 1.30 is asked to take. */
const highestOpset = 23;
const require = createRequire(import.meta.url);
/** This agent's own version. */
export const agentVersion: string = require("../../package.json").version;
const ortVersion: string = require("onnxruntime-node/package.json").version;

export interface NodeAgentOptions {
  /** The agent's folder: key, site, store and spool. One agent a folder. */
  readonly home: string;
  /** How to join a site, where this folder has not; ignored where it has. */
  readonly enrolment?: {
    /** What `vedette device enroll` printed, or the way to it, gone only where this folder has not joined. */
    readonly token: string | (() => Promise<string>);
    readonly agent: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly log?: Logger;
  /** How much of the disk unsent predictions may take (bytes), and how old they may grow (ms). */
  readonly spool?: { readonly bytes?: number; readonly ageMs?: number };
  /** By model: the same input again is answered without a run. */
  readonly responseCache?: AgentOptions["responseCache"];
  /** Bytes that it may send and receive in a day before models wait; none: no limit. */
  readonly dataBytesPerDay?: number;
  /** Wait before another try to reach the broker; where not said, a second doubled up to five minutes. */
  readonly backoff?: MqttTransportOptions["backoff"];
}
export interface NodeAgent {
  readonly agent: Agent & Measured;
  /** Stops the agent and gives its folder back. */
  close(): Promise<void>;
}

/**
 * Starts an agent: it serves what is installed before it looks for the network, and answers when it can be asked.
 * @throws VedetteError conflict (another process has the folder, or it has joined as another device), not_found (it has
 * joined no site and no token was given), storage_failed, and what `enroll` throws.
 */
export async function openNodeAgent(options: NodeAgentOptions): Promise<NodeAgent> {
  const { home } = options;
  const log = options.log ?? createPinoLogger();
  // First, since opening the storage removes what it takes for left over by a dead process.
  const unlock = await lockHome(home, await readBootId());
  try {
    const storage = await openFsStorage(join(home, "store"));
    const key = await openDeviceKey(join(home, "device.key"));
    const { enrolment, root } = await joinSite(options, key);
    const { site, agent: id, url, labels } = enrolment;
    const transport = createMqttTransport({
      agent: id,
      presenceTopic: topics(site).presence(id),
      credentials: () => loginOf({ home, url, agent: id, key, log, clock: systemClock, random: systemRandom }),
      clock: systemClock,
      random: systemRandom,
      log,
      ...(options.backoff && { backoff: options.backoff }),
    });
    const kernels = await loadKernelsNode();
    const packer = createThreadPacker(log);
    const backend = createOrtBackend(log);
    // Never on the main thread, where a run that hangs would hold up every answer.
    const besideBackend = createOrtBackend(log, { trialRuns: 0 });
    const abilities: AgentAbilities = {
      capability: currentCapability,
      agent: agentVersion,
      runtime: `node ${process.versions.node}, onnxruntime ${ortVersion}`,
      opset: highestOpset,
      kernelAbi: kernels.abi,
      backends: ["node-cpu"],
      domains: [...operators.keys()],
      memoryBytes: machineMemory(),
    };
    const agent = await createAgent({
      site,
      agent: id,
      labels,
      abilities,
      kernels,
      // The end of a tick costs nothing here; the clock's shortest timer would cost each answer a millisecond.
      options: {
        schedule: (call) => void setImmediate(call),
        ...(options.spool && { spool: options.spool }),
        dataBytesPerDay: options.dataBytesPerDay ?? null,
        ...(options.responseCache && { responseCache: options.responseCache }),
      },
      ports: {
        clock: systemClock,
        random: systemRandom,
        crypto: nodeCrypto,
        key,
        storage,
        transport,
        backend,
        besideBackend,
        prover: createNodeProver(),
        trust: createTrustClient({ storage, crypto: nodeCrypto, pinnedRoot: root }),
        compressor: zstdCompressor,
        packer,
        log,
      },
    });
    return {
      agent,
      close: () =>
        closeAll(`agent ${id}`, [() => agent.stop(), backend.close, besideBackend.close, packer.close, unlock]),
    };
  } catch (error) {
    await unlock().catch((late: unknown) => log.error("agent.home_not_given_back", { home, why: messageOf(late) }));
    throw error;
  }
}

/** Of the container, where one says. Bytes. */
function machineMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** The site of this folder: as joined before, or joined now. A token is of use once; starting again with it does no harm. */
async function joinSite(
  { home, enrolment: wanted }: NodeAgentOptions,
  key: DeviceKey,
): Promise<{ enrolment: Enrolment; root: string }> {
  const joined = await readEnrolment(home);
  if (joined) {
    const { agent } = joined.enrolment;
    if (wanted === undefined || wanted.agent === agent) return joined;
    throw new VedetteError("conflict", `${home} belongs to device ${agent}: use that name, or another --home`);
  }
  if (!wanted) {
    throw new VedetteError(
      "not_found",
      `${home} has joined no site: start with --enroll-file FILE (or --enroll TOKEN) and --name ID once`,
    );
  }
  const token = typeof wanted.token === "string" ? wanted.token : await wanted.token();
  await enroll({ home, token, agent: wanted.agent, labels: wanted.labels ?? {}, key });
  const now = await readEnrolment(home);
  if (!now) throw new VedetteError("storage_failed", `${home} did not keep what enrolment wrote: check the disk`);
  return now;
}
