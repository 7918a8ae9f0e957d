/** What one device, and all of them together, may ask of the broker. */
export interface BrokerLimits {
  /** Longest packet before a device has proven who it is: its CONNECT. */
  readonly connectPacketBytes: number;
  /** Longest packet after that: the largest payload and its topic. */
  readonly packetBytes: number;
  /** ms from the first byte to the CONNECT. */
  readonly connectTimeoutMs: number;
  readonly connections: number;
  /** ms that a device may leave its connection unread before it is closed. */
  readonly drainTimeoutMs: number;
  /** Bytes waiting for a device that does not read before it is closed. */
  readonly unreadBytes: number;
  /** Messages and subscriptions a device may send: faster ones are read more slowly. */
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  /** Requests and pulls: more are refused. */
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  /** Bytes of a device's messages that may wait to be dealt with; more are dropped (devices repeat what is not answered). */
  readonly backlogBytes: number;
  readonly subscriptions: number;
  /** Bytes of chunks kept in memory for the devices that fetch the same. */
  readonly blobCacheBytes: number;
}

export const defaultBrokerLimits: BrokerLimits = {
  connectPacketBytes: 16 * 1024,
  packetBytes: 128 * 1024,
  connectTimeoutMs: 10_000,
  connections: 20_000,
  drainTimeoutMs: 20_000,
  unreadBytes: 4 * 1024 * 1024,
  messagesPerSecond: 500,
  messageBurst: 1000,
  requestsPerSecond: 10,
  requestBurst: 60,
  backlogBytes: 1024 * 1024,
  subscriptions: 128,
  blobCacheBytes: 64 * 1024 * 1024,
};
