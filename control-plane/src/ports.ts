/**
 * Where the rooms of the control plane meet. `compose.ts` builds each and hands it to those who need it; nothing here says SQLite, aedes or DuckDB, so that each can be another address.
 */

import type { predictionQuery, predictionRows } from "@vedette/protocol/api";
import type { CommandOutcome, EraseCommand } from "@vedette/protocol/commands";
import type { DriftAck, DriftWindowMessage } from "@vedette/protocol/drift";
import type { Harm, HarmQuery, LabelStatus } from "@vedette/protocol/labels-api";
import type { Ack, Heartbeat, HelloAnswer, Reported, Request } from "@vedette/protocol/messages";
import type {
  Erasure,
  ExportRequest,
  PredictionCounts,
  SinkState,
  Verified,
  verifyRequest,
} from "@vedette/protocol/records-api";
import type { ShadowAck, ShadowParcel } from "@vedette/protocol/shadow";
import type { z } from "zod";
import type {
  ArmsMeasured,
  MetricGroup,
  PairedTruth,
  PairsRequest,
  PerformanceGroup,
  PerformanceRequest,
  UnitsRequest,
} from "./measured.ts";
import type { AddedLabels, LabelRecord } from "./monitoring/labels/label-table.ts";
import type { MetricRecord } from "./monitoring/labels/metric-table.ts";

type Hello = Extract<Request, { kind: "hello" }>;

export interface Clock {
  /** UTC ms. */
  now(): number;
  /** Calls once after `ms`; the answer cancels. */
  after(ms: number, call: () => void): () => void;
}

/** What happened, and its fields; never the content of a device's message. */
export interface Logger {
  info(event: string, fields?: Record<string, unknown>): void;
  /** What happens all the time, and helps only those who look for a fault. */
  debug(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
}

/** registry/: bytes by their sha256. */
export interface BlobStore {
  has(sha256: string): Promise<boolean>;
  get(sha256: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** @throws VedetteError digest_mismatch where the bytes are not those of the name. */
  put(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** fleet/: what the broker asks of the fleet, and tells it. */
export interface Fleet {
  /** The MQTT password is a device's JWT. Answers until when it holds (UTC ms), or undefined where it does not. */
  authenticate(agent: string, password: string): Promise<number | undefined>;
  /** The body of a device's signed message. @throws VedetteError where the device did not sign it, here, and just now. */
  open(agent: string, topic: string, text: string): Promise<string>;
  /** Answers a device's request with the text to send back. @throws VedetteError to be sent as the error. */
  answer(agent: string, request: Request): Promise<string>;
  reported(agent: string, report: Reported): Promise<void>;
  presence(agent: string, on: boolean, sid: number): Promise<void>;
  /** Any sign of life. */
  seen(agent: string): Promise<void>;
  heartbeat(agent: string, beat: Heartbeat): Promise<void>;
  /** A window of a device's drift watch. Answers what to tell it. */
  drift(agent: string, window: DriftWindowMessage): Promise<DriftAck>;
  /** What a device found where it asked a second version the same. Answers what to tell it. */
  shadow(agent: string, parcel: ShadowParcel): Promise<ShadowAck>;
  /** What a device answered to a command. */
  commandDone(agent: string, outcome: CommandOutcome): Promise<void>;
}

/** What of an external broker's retained messages is ours to keep up: it may forget them, and never cleans up itself. */
export interface RetainedChunks {
  /** Chunks that devices may ask for now, with how many rules and devices need each. */
  wanted(): Promise<ReadonlyMap<string, number>>;
  /** Chunks that were ever given to the broker and not yet taken back. */
  kept(): Promise<readonly RetainedChunk[]>;
  keep(chunks: readonly RetainedChunk[]): Promise<void>;
  forget(sha256: string): Promise<void>;
}
export interface RetainedChunk {
  readonly sha256: string;
  readonly refs: number;
  /** UTC ms when the last reference went; null while there is one. */
  readonly unusedSince: number | null;
}

/** mqtt/: the way to the devices: a broker of our own, or a connection to one. */
export interface Broker {
  /** Where devices and pages reach it, from the host where the control plane is reached; "" where pages cannot. */
  urls(host: string): { readonly mqttUrl: string; readonly mqttWsUrl: string };
  /** Makes the chunks of what is assigned ready to be fetched; before devices are hinted at it. */
  offer(): Promise<void>;
  /** Tells a device that its assignment changed (retained). */
  hint(agent: string, rev: number): Promise<void>;
  /** Sends a signed command to a device that is connected; one that is not learns it with its next hello. */
  command(agent: string, text: string): Promise<void>;
  /** Ends a device's connection, as when it is retired. */
  disconnect(agent: string): Promise<void>;
  /** Ends every connection that a device token of ours opened: devices log in anew. */
  disconnectAll(): Promise<void>;
  close(): Promise<void>;
}

/** Predictions that no batch holds, as the devices that gave their numbers account for them. */
export interface MissingCount {
  readonly model: string;
  /** The version that had answered; null where the device does not know it any more. */
  readonly digest: string | null;
  readonly release: number | null;
  /** One of the protocol's `missingReasons`, or a newer agent's. Of `unanswered` numbers nothing is missing. */
  readonly reason: string;
  readonly predictions: number;
}
/** Values of a column that the log policy kept on the devices, of predictions that are in the lake. */
export interface WithheldCount {
  readonly model: string;
  /** As in the batch: `in:<field>`, `entity`, `request`, `confidence`, `out:…`. */
  readonly column: string;
  readonly mode: string;
  readonly predictions: number;
}

/** monitoring/: takes prediction batches; the acknowledgement means stored for good. */
export interface Ingestion {
  /** Stores a frame (or refuses it) and answers what to tell the device. Equal frames are stored once. */
  take(agent: string, stream: string, frame: Uint8Array<ArrayBuffer>): Promise<Ack>;
  stored(agent: string, streams: Hello["streams"]): Promise<HelloAnswer["stored"]>;
  /** Predictions by model that devices lost before they could be stored, as they said. */
  missing(): Promise<Readonly<Record<string, number>>>;
  /** The same by version and reason, `unanswered` included. */
  missingByReason(): Promise<readonly MissingCount[]>;
  withheld(): Promise<readonly WithheldCount[]>;
}

/** Rows in the lake of one model, version and source. */
export interface StoredCount {
  readonly model: string;
  /** Null: answered before there was a version. */
  readonly digest: string | null;
  readonly source: string;
  readonly rows: number;
}

/** lake/: prediction logs as Parquet files, queried by DuckDB. */
export interface Lake {
  /** Moves all that the inbox holds into Parquet. Answers how many batches. */
  flush(): Promise<number>;
  /** All rows, those that the inbox still held included. */
  counts(): Promise<StoredCount[]>;
  /** @throws VedetteError invalid_argument for SQL that does not run or is not one SELECT. */
  query(query: z.infer<typeof predictionQuery>): Promise<z.infer<typeof predictionRows>>;
  close(): Promise<void>;
}

/** A row of the lake as exports tell it: JSON's own values by column. */
export type RecordRow = Readonly<Record<string, string | number | boolean | null>>;
export interface DueSink extends SinkState {
  readonly batch: number;
  readonly n: number;
}

/** What outlives the rows of a batch: the device's signature over its header. */
export interface ProofRow {
  readonly firstN: number;
  /** Exclusive. */
  readonly nextN: number;
  readonly head: Uint8Array;
  readonly header: Uint8Array;
  /** Hex, both. */
  readonly signature: string;
  readonly publicKey: string;
}

/** lake/: the records' own care: what is missing, how long it is kept, what must go, what others get. */
export interface Records {
  /** All but what is still in spools, which the fleet knows. */
  counts(): Promise<PredictionCounts["models"]>;
  policies(): Promise<{ model: string; days: number }[]>;
  setPolicy(model: string, days: number | null): Promise<void>;
  /** Resolves when the lake's files are rid of it; devices follow. */
  erase(request: {
    entity: string;
    model: string | null;
    expires: number;
    agents: readonly string[];
  }): Promise<Erasure>;
  erasures(): Promise<Erasure[]>;
  /** What a device has still to do. */
  commandsFor(agent: string): Promise<EraseCommand[]>;
  commandDone(agent: string, outcome: CommandOutcome): Promise<void>;
  /** Bytes of a format, and what kind of content that is. */
  export(request: ExportRequest, site: string): Promise<{ type: string; bytes: AsyncIterable<Uint8Array> }>;
  /** `in:<field>` and the like by model and column. */
  originals(): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>>;
  /** @param enrolled the device's public key now, hex. @throws VedetteError not_found. */
  verify(
    request: z.infer<typeof verifyRequest>,
    enrolled: (agent: string) => Promise<string | undefined>,
  ): Promise<Verified>;
  sinks(): Promise<SinkState[]>;
  addSink(sink: { name: string; url: string; model: string | null; fromStart: boolean }): Promise<void>;
  removeSink(name: string): Promise<boolean>;
  /** Sinks that may be tried now. */
  dueSinks(): Promise<DueSink[]>;
  /** The next rows of a sink, oldest first. */
  rowsAfter(cursor: { batch: number; n: number }, model: string | null, limit: number): Promise<RecordRow[]>;
  delivered(name: string, cursor: { batch: number; n: number }, rows: number): Promise<void>;
  deliveryFailed(name: string, why: string, retryInMs: number): Promise<void>;
  /** Copies records and files into a folder, consistently, while all goes on. */
  snapshot(to: string): Promise<void>;
}

/** lake/: what came of predictions, held against them. */
export interface Labels {
  add(rows: readonly LabelRecord[]): Promise<AddedLabels>;
  status(): Promise<LabelStatus>;
  /** The lake's name of a column, as of `in:temperature`; undefined where no row has it. */
  column(model: string, original: string): Promise<string | undefined>;
  /** @throws VedetteError invalid_argument where a regression's scale is not known. */
  performance(request: PerformanceRequest): Promise<PerformanceGroup[]>;
  /** Labelled rows that two versions were asked, by who answered. */
  pairs(request: PairsRequest): Promise<PairedTruth[]>;
  /** Both arms of an experiment, by the units that take part. */
  units(request: UnitsRequest): Promise<ArmsMeasured>;
  addMetrics(rows: readonly MetricRecord[]): Promise<{ stored: number; repeated: number; erased: number }>;
  /** Of one model where it is named. */
  metrics(model?: string): Promise<MetricGroup[]>;
}

/** monitoring/: whether a version does worse since a moment, as drift events ask. */
export interface HarmOracle {
  /** @throws VedetteError not_found, invalid_argument. */
  harmOf(question: HarmQuestion): Promise<Harm>;
}
/** What is not said is as the API has it. */
export interface HarmQuestion extends Partial<Omit<HarmQuery, "label" | "model" | "since">> {
  readonly model: string;
  /** ISO date-time. */
  readonly since: string;
  /** Only of these devices; what was before is of all. */
  readonly agents?: readonly string[] | undefined;
}
