/**
 * The agent of a page, composed in its worker: every port of core/ by its adapter for browsers. `agent-worker.ts` puts it
 * behind messages.
 */
import { type AgentAbilities, currentCapability } from "@vedette/protocol/capability";
import { VedetteError } from "@vedette/protocol/errors";
import { parseEnrollmentToken } from "@vedette/protocol/joining";
import { operators } from "@vedette/protocol/onnx/operators";
import { topics } from "@vedette/protocol/topics";
import { loadKernelsBrowser } from "@vedette/wasm-kernels/browser";
import type { Agent } from "../core/agent.ts";
import { closeAll } from "../core/close-all.ts";
import { createAgent } from "../core/create-agent.ts";
import type { DeviceKey, Storage } from "../core/ports.ts";
import { createTrustClient } from "../core/verify/trust-client.ts";
import { postJson } from "../http/post-json.ts";
import { createBesideBackend } from "./beside-backend.ts";
import { consoleLogger } from "./console-logger.ts";
import { gzipCompressor } from "./gzip-compressor.ts";
import { enroll, type Identity, loadIdentity, loginOf } from "./identity.ts";
import { openIndexedDbStorage } from "./indexed-db-storage.ts";
import { hasOpfs, openOpfsStorage } from "./opfs-storage.ts";
import { createOrtWebBackend, runtimeFolder, runtimeVersion } from "./ort-web-backend.ts";
import { pageMemory } from "./page-memory.ts";
import { createPageProver } from "./page-prover.ts";
import { webClock } from "./web-clock.ts";
import { openDeviceKey, webCrypto, webRandom } from "./web-crypto.ts";
import type { OpenOptions } from "./worker-api.ts";
import { createWsTransport } from "./ws-transport.ts";

/** The worker's script. Not `location`, which is a shim's where the page is of another origin. */
const here = import.meta.url;
/** This agent's own version. */
const agentVersion = "0.1.0";
/** Highest ONNX opset that onnxruntime-web 1.30 is asked to take. */
const highestOpset = 23;
/** A page that is being reloaded lets go of its home within this time. */
const lockWaitMs = 1_500;

export interface PageAgent {
  readonly agent: Agent;
  readonly identity: Identity;
  readonly storage: "opfs" | "indexeddb";
  readonly connected: boolean;
  readonly bytes: { readonly sent: number; readonly received: number };
  /** Stops the agent and lets another tab have its home. */
  close(): Promise<void>;
}

/**
 * @throws VedetteError busy (another tab runs this agent), invalid_token, conflict (joined another site before),
 * unsupported, storage_failed, and what enrolment throws.
 */
export async function openPageAgent(options: OpenOptions): Promise<PageAgent> {
  const unlock = await lockHome(options.home);
  try {
    const assets = new URL(runtimeFolder, here);
    const backend = createOrtWebBackend(assets);
    const opfs = await hasOpfs();
    const storage = await (opfs ? openOpfsStorage(options.home) : openIndexedDbStorage(options.home));
    const [key, kernels] = await Promise.all([openDeviceKey(options.home), loadKernelsBrowser()]);
    const identity = await joinSite(options, storage, key);
    const transport = createWsTransport({
      agent: identity.agent,
      presenceTopic: topics(identity.site).presence(identity.agent),
      credentials: () => loginOf({ identity, key, clock: webClock, random: webRandom, post: postJson }),
      clock: webClock,
      random: webRandom,
      log: consoleLogger,
      ...(options.backoff && { backoff: options.backoff }),
    });
    const abilities: AgentAbilities = {
      capability: currentCapability,
      agent: agentVersion,
      runtime: `browser, onnxruntime-web ${runtimeVersion}`,
      opset: highestOpset,
      kernelAbi: kernels.abi,
      backends: ["wasm"],
      domains: [...operators.keys()],
      memoryBytes: pageMemory((navigator as Navigator & { readonly deviceMemory?: number }).deviceMemory),
    };
    const agent = await createAgent({
      site: identity.site,
      agent: identity.agent,
      labels: { ...identity.labels, ...options.labels },
      abilities,
      kernels,
      options: { endsAbruptly: true },
      ports: {
        clock: webClock,
        random: webRandom,
        crypto: webCrypto,
        key,
        storage,
        transport,
        backend,
        besideBackend: createBesideBackend(assets),
        prover: createPageProver(assets),
        trust: createTrustClient({ storage, crypto: webCrypto, pinnedRoot: identity.root }),
        compressor: gzipCompressor,
        log: consoleLogger,
      },
    });
    return {
      agent,
      identity,
      storage: opfs ? "opfs" : "indexeddb",
      get connected() {
        return transport.connected;
      },
      get bytes() {
        return transport.bytes;
      },
      close: () => closeAll("the page's agent", [() => agent.stop(), unlock]),
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function joinSite({ token: text, name }: OpenOptions, storage: Storage, key: DeviceKey): Promise<Identity> {
  const known = await loadIdentity(storage);
  const token = text === undefined ? undefined : parseEnrollmentToken(text);
  if (known) {
    if (!token || token.site === known.site) return known; // a token is redeemed once, and may stay in the page's code
    const where = `this page has joined ${known.site} as ${known.agent}`;
    throw new VedetteError(
      "conflict",
      `${where}: clear this site's data, or give another \`home\`, to join ${token.site}`,
    );
  }
  if (token) return enroll({ token, name, storage, key, crypto: webCrypto, random: webRandom, post: postJson });
  throw new VedetteError(
    "invalid_token",
    "this browser has joined no site yet: connect({ token }) with an enrolment token",
  );
}

/** One tab an agent: two would number their predictions alike. Answers what gives the home back. */
function lockHome(home: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(lockWaitMs);
    navigator.locks
      .request(`vedette-${home}`, { signal }, () => new Promise<void>((release) => resolve(release)))
      .catch((cause: unknown) => {
        const why = "another tab runs this agent: use that one, or close it";
        reject(new VedetteError("busy", why, { cause }));
      });
  });
}
