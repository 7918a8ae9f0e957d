import type { Random, Transport } from "../core/ports.ts";
import type { ManualClock } from "./memory-ports.ts";
import type { SimProcess } from "./process.ts";

type Bytes = Uint8Array<ArrayBuffer>;
/** Chances are of one message. */
export interface LinkFaults {
  readonly loss: number;
  readonly duplicate: number;
  readonly corrupt: number;
  /** The connection breaks. */
  readonly cut: number;
  /** Longest way of a message, ms. */
  readonly delayMs: number;
}
export declare const noFaults: LinkFaults;
/** One connection as the broker sees it. */
export interface LinkSession {
  readonly agent: string;
  readonly topics: ReadonlySet<string>;
  /** Towards the device; lost where the connection is. */
  send(topic: string, payload: Uint8Array | string, qos: 0 | 1): void;
  readonly open: boolean;
  cut(): void;
}
/** The broker's side. */
export interface LinkPeer {
  accepted(session: LinkSession): void;
  closed(session: LinkSession): void;
  published(session: LinkSession, topic: string, payload: Bytes): void;
  subscribed(session: LinkSession, topic: string): void;
}
export interface Link {
  faults: LinkFaults;
  /** Whether there is a way to the broker at all. */
  up: boolean;
  transport(process: SimProcess): Transport;
  /** The connection breaks now, if there is one. */
  cut(): void;
  /** Topics subscribed to now. */
  readonly subscriptions: number;
  /** Bytes of payloads and topics either way since the link was made. */
  readonly chatted: number;
}
/** @param peer the broker of the moment; undefined while it is down. */
export declare function createLink(options: {
  agent: string;
  world: ManualClock;
  random: Random;
  peer: () => LinkPeer | undefined;
}): Link;
