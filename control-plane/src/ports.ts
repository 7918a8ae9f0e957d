/**
 * Where the rooms of the control plane meet. `main.ts` builds each and hands it to those who need it; no room imports
 * another's insides, and nothing here says SQLite, aedes or DuckDB, so that each can be another address.
 */

import type { predictionQuery, predictionRows } from "@vedette/protocol/api";
import type { Ack, HelloAnswer, Reported, Request } from "@vedette/protocol/messages";
import type { z } from "zod";

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
  /** Answers a device's request with the text to send back. @throws VedetteError to be sent as the error. */
  answer(agent: string, request: Request): Promise<string>;
  reported(agent: string, report: Reported): Promise<void>;
  presence(agent: string, on: boolean, sid: number): Promise<void>;
  /** Any sign of life. */
  seen(agent: string): Promise<void>;
}

/** mqtt/: the way to the devices. */
export interface Broker {
  readonly port: number;
  /** The port that speaks MQTT over websockets. */
  readonly wsPort: number;
  /** Tells a device that its assignment changed (retained). */
  hint(agent: string, rev: number): Promise<void>;
  /** Clients connected now. */
  connected(): string[];
  /** Ends a device's connection, as when it is retired. */
  disconnect(agent: string): Promise<void>;
  close(): Promise<void>;
}

/** monitoring/: takes prediction batches; the acknowledgement means stored for good. */
export interface Ingestion {
  /** Stores a frame (or refuses it) and answers what to tell the device. Equal frames are stored once. */
  take(agent: string, stream: string, frame: Uint8Array<ArrayBuffer>): Promise<Ack>;
  stored(agent: string, streams: Hello["streams"]): Promise<HelloAnswer["stored"]>;
  /** Predictions by model that devices lost before they could be stored, as they said. */
  missing(): Promise<Readonly<Record<string, number>>>;
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
