/**
 * Everything the agent's core needs from the world. Node, the page and the simulated fleet each bring their own; core
 * decides, ports do. Nothing in core/ reaches for a platform by any other way.
 */

import type { Manifest } from "@vedette/protocol/bundle";
import type { BatchHeader, Compression, FrameHead } from "@vedette/protocol/prediction-batch";
import type { Tensor, TensorSpec } from "@vedette/protocol/tensors";
import type { TargetsExtension } from "@vedette/protocol/trust";

export type { Tensor, TensorData } from "@vedette/protocol/tensors";

export interface Clock {
  /** UTC ms by the device's clock, which may be wrong. */
  now(): number;
  /** ms that never go backwards. */
  monotonic(): number;
  /** Calls once after `ms`; the answer cancels. */
  after(ms: number, call: () => void): () => void;
}

export interface Random {
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** Uniform in [0, 1). */
  unit(): number;
}

export interface Crypto {
  /** Lower-case hex. */
  sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
  /** SHA-256 at once, 32 bytes: for the many small ones of receipts. The bytes are read before it returns. */
  hash(bytes: Uint8Array<ArrayBuffer>): Uint8Array;
  /** Lower-case hex; asked only of trust metadata that give it, as those of other tools do. */
  sha512?(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
  /** Ed25519; false for a bad signature or key, never a throw. */
  verify(publicKeyHex: string, message: Uint8Array<ArrayBuffer>, signatureHex: string): Promise<boolean>;
  /**
   * Keys of other kinds, where the platform has them: a TUF scheme, and the public key as SPKI PEM.
   * Undefined for a scheme it does not know.
   */
  verifyPem?(
    scheme: string,
    publicKeyPem: string,
    message: Uint8Array<ArrayBuffer>,
    signatureHex: string,
  ): Promise<boolean | undefined>;
}

/** The device's own key, made once and never leaving the device. */
export interface DeviceKey {
  readonly publicKeyHex: string;
  /** Ed25519, hex. */
  sign(message: Uint8Array<ArrayBuffer>): Promise<string>;
}

/** A folder of the device. Paths are `a/b/c` of `[A-Za-z0-9._-]`. */
export interface Storage {
  read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** All or nothing, and on the disk when it resolves: written beside, synced, renamed, folder synced. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Names directly in a folder, sorted; empty where there is none. */
  list(folder: string): Promise<string[]>;
  remove(path: string): Promise<void>;
  /** Resolves when what was removed from the folder stays so after a power failure. */
  settle(folder: string): Promise<void>;
  /** Opens (or creates) a file to append to; reading it back gives what was appended before a kill of the process. */
  append(path: string): Promise<AppendFile>;
  /** Changes when the machine booted anew, so that what only reached the page cache may be gone. */
  readonly bootId: string;
  /** Another one where the folder was copied, as with the card it lies on; undefined where nobody can tell. */
  readonly place?: string | undefined;
}

export interface AppendFile {
  /** Hands all bytes to the system before it returns: a killed process loses none of them. */
  append(bytes: Uint8Array): void;
  /** Resolves when they would outlive a power failure. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface TransportHandlers {
  up(): void;
  down(): void;
  message(topic: string, payload: Uint8Array<ArrayBuffer>): void;
}

/** One connection to the broker, already authenticated; reconnecting is the adapter's, deciding what to say is core's. */
export interface Transport {
  /**
   * Starts; `up` is called after each (re)connection, `down` after each loss. `session` is asked before each connection,
   * with the control plane's time (Unix ms) as the login told it, for its number and for its will, which the broker publishes to …/presence where the connection breaks.
   */
  start(handlers: TransportHandlers & { session(at: number): Promise<{ sid: number; will: string }> }): void;
  readonly connected: boolean;
  /** Number of the present (or last) session, the one its will speaks of: a death with another number is old news. */
  readonly sid: number;
  /** QoS 1: resolves with PUBACK, which proves nothing about storage. Rejects VedetteError offline when the connection is lost. */
  publish(topic: string, payload: Uint8Array | string, options: { qos: 0 | 1 }): Promise<void>;
  /** One SUBSCRIBE for one exact topic. Resolves with its SUBACK; rejects where it is refused or the connection is lost. */
  subscribe(topic: string, qos: 0 | 1): Promise<void>;
  unsubscribe(topic: string): Promise<void>;
  /** Bytes sent and received since the start. */
  readonly bytes: { sent: number; received: number };
  close(): Promise<void>;
}

export interface Backend {
  readonly name: "node-cpu" | "wasm";
  /** Loads off the answering thread where that can be. @throws VedetteError invalid_model where it is no model this runtime takes. */
  load(model: Uint8Array<ArrayBuffer>): Promise<Session>;
}
export interface Session {
  /** What the last run took by itself, ms, apart from the way to it; where the platform can tell. */
  readonly ranMs?: number | undefined;
  /** Whether runs are compared with another version's: a session that tells its time only at a cost tells it then. */
  compared?: boolean;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** @throws VedetteError model_failed. */
  run(inputs: Readonly<Record<string, Tensor>>, outputs: readonly string[]): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}

/** A version to be proven: its manifest, and the verified bytes of the files that the proof reads. */
export interface ProofQuestion {
  readonly manifest: Manifest;
  readonly files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
}
/** Proves a version where one that hangs, crashes or takes all memory harms nobody: a process, or a worker, that is ended. */
export interface Prover {
  /**
   * As `prove`, and within `limits.memoryBytes` and a time.
   * @throws VedetteError as `prove`; proof_failed too where it took too much time or memory, or its process died;
   *   backend_unavailable where there was no process to prove it in: another try may go better.
   */
  prove(question: ProofQuestion): Promise<void>;
}

/** What the trust client learned from a refresh. */
export interface TrustedTargets {
  /** The extension in the targets metadata: who directs, and the floors. */
  readonly extension: TargetsExtension;
  /**
   * The release that signed metadata gives a manifest, after checking path, length and sha256.
   * @throws VedetteError unknown_target, digest_mismatch, length_mismatch.
   */
  release(model: string, digest: string, length: number): Promise<number>;
}
/** TUF: one verifier for every platform (`verify/`), over its Storage and Crypto. */
export interface TrustClient {
  /**
   * Brings metadata up to date from `fetch` (a file name to its text; undefined where there is none) and keeps it.
   * @param referenceTime UTC ms that expiry is judged by.
   * @throws VedetteError unsigned, bad_signature, expired, rollback, invalid_metadata; what was trusted before stays.
   */
  refresh(fetch: (file: string) => Promise<string | undefined>, referenceTime: number): Promise<TrustedTargets>;
}

export interface Compressor {
  readonly kind: Compression;
  compress(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
}

/** Rows that are to be one batch, in plain data, so that another thread can be handed them. */
export interface PackQuestion {
  readonly batch: Pick<BatchHeader, "agent" | "stream" | "epoch" | "seq" | "clock">;
  /** Records of a segment, its version's first: one run, which holds these rows. */
  readonly segment: Uint8Array<ArrayBuffer>;
  readonly firstN: number;
  readonly count: number;
  /** Without inputs and scores. */
  readonly slim: boolean;
  /** Of the receipts, hex; empty where the policy has none. */
  readonly salt: string;
}
/** The body of a batch, compressed, and what its head says of it. */
export interface PackedRows extends Pick<FrameHead, "compression" | "bodyLength" | "headerSha256" | "bodySha256"> {
  readonly compressed: Uint8Array<ArrayBuffer>;
  /** There are inputs or scores that could be left out. */
  readonly canSlim: boolean;
}
/** Makes the bodies of batches (`packRows`) where it holds up no answer. */
export interface Packer {
  /** @throws VedetteError as `packRows`. */
  pack(question: PackQuestion): Promise<PackedRows>;
}

export interface Logger {
  info(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
}

export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly key: DeviceKey;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly backend: Backend;
  /**
   * Runs what is asked beside the answers where a run that is slow, or never ends, holds up none of them, and releasing it
   * gives its memory back. Absent, `backend` does.
   */
  readonly besideBackend?: Backend;
  /** Absent, versions are proven where they serve. */
  readonly prover?: Prover;
  readonly trust: TrustClient;
  readonly compressor: Compressor;
  /** Absent, batches are packed where they are cut. */
  readonly packer?: Packer;
  readonly log: Logger;
}
