/** What the control plane keeps of a device that it hears, by whatever broker: its pace, and what waits of it. */
import type { Clock } from "../ports.ts";
import type { BrokerLimits } from "./limits.ts";
import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";

export interface Peer {
  readonly agent: string;
  /** Requests and pulls. */
  readonly requests: TokenBucket;
  /** Log lines about this device's faults. */
  readonly complaints: TokenBucket;
  /** Bytes of its messages that wait to be dealt with. */
  backlog: number;
  /** What it sent is dealt with in order. */
  tail: Promise<void>;
  seenAt: number;
}

/** The way back to a device. */
export interface Downlink {
  /** Resolves when the bytes left for the device; at once where it cannot be reached. Never rejects. */
  send(
    agent: string,
    topic: string,
    payload: string | Buffer,
    options?: { qos?: 0 | 1; retain?: boolean },
  ): Promise<void>;
}

export function createPeer(agent: string, limits: BrokerLimits, clock: Clock): Peer {
  return {
    agent,
    requests: createTokenBucket(limits.requestsPerSecond, limits.requestBurst, clock),
    complaints: createTokenBucket(0.2, 5, clock),
    backlog: 0,
    tail: Promise.resolve(),
    seenAt: Number.NEGATIVE_INFINITY,
  };
}
