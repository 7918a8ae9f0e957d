/**
 * An MQTT 3.1.1 client of a few kilobytes, so that thousands fit one process: packets are written by mqtt-packet and read
 * here, through one buffer that all connections share. QoS 0 and 1; it never reconnects.
 */
import { connect, type Socket } from "node:net";
import { generate, type Packet } from "mqtt-packet";

export interface LightClient {
  /** Resolves with the PUBACK, or when the bytes were handed over for QoS 0. */
  publish(topic: string, payload: Uint8Array<ArrayBuffer>, qos: 0 | 1): Promise<void>;
  /** One SUBSCRIBE for all. Resolves with its SUBACK. @throws where one is refused. */
  subscribe(topics: readonly string[], qos: 0 | 1): Promise<void>;
  unsubscribe(topic: string): Promise<void>;
  ping(): void;
  close(): void;
}

export interface LightOptions {
  readonly port: number;
  readonly agent: string;
  /** Of the loopback, 127.0.0.0/8: each has ports of its own. */
  readonly localAddress?: string;
  /** The payload is the receiver's own. */
  readonly message: (topic: string, payload: Buffer) => void;
  /** The connection ended, and not by `close`. */
  readonly lost?: (why: string) => void;
}

/** What all connections of this process read into: the callback is done with it before the next read. */
const shared = Buffer.allocUnsafe(256 * 1024);
const keepaliveSeconds = 60;

/** Resolves when the broker has accepted the connection. */
export function connectLight(options: LightOptions): Promise<LightClient> {
  const { port, agent, localAddress, message } = options;
  const ready = Promise.withResolvers<LightClient>();
  const waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  let nextId = 1;
  let closed = false;
  let why = "the broker closed it";

  const onPacket = (head: number, body: Buffer) => {
    const type = head >> 4;
    if (type === 3) {
      const length = body.readUInt16BE(0);
      const qos = (head >> 1) & 3;
      const from = 2 + length + (qos > 0 ? 2 : 0);
      if (qos > 0) write({ cmd: "puback", messageId: body.readUInt16BE(2 + length) });
      message(body.toString("latin1", 2, 2 + length), body.subarray(from));
    } else if (type === 2) {
      if (body[1] === 0) ready.resolve(client);
      else fail(`refused with code ${body[1]}`);
    } else if (type === 4 || type === 9 || type === 11) {
      const id = body.readUInt16BE(0);
      const call = waiting.get(id);
      waiting.delete(id);
      if (type === 9 && body.subarray(2).includes(0x80)) call?.reject(new Error(`${agent} may not subscribe`));
      else call?.resolve();
    }
  };
  const read = packetReader(onPacket);
  const socket: Socket = connect({
    host: "127.0.0.1",
    port,
    ...(localAddress && { localAddress }),
    noDelay: true,
    onread: {
      buffer: shared,
      callback(length) {
        read(shared.subarray(0, length));
        return true;
      },
    },
  });
  const fail = (reason: string) => {
    why = reason;
    socket.destroy();
  };
  socket.on("error", (error) => {
    why = error.message;
  });
  socket.on("close", () => {
    const error = new Error(`the connection of ${agent} ended: ${why}`);
    ready.reject(error);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    if (!closed) options.lost?.(why);
  });
  const write = (packet: Packet) => socket.write(generate(packet));
  /** Sends what is answered under its number. */
  const ask = (packetOf: (messageId: number) => Packet): Promise<void> => {
    const id = nextId;
    nextId = id === 0xffff ? 1 : id + 1;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      write(packetOf(id));
    });
  };

  const client: LightClient = {
    publish(topic, payload, qos) {
      const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      const packet = { cmd: "publish", topic, payload: bytes, dup: false, retain: false } as const;
      if (qos === 1) return ask((messageId) => ({ ...packet, qos, messageId }));
      write({ ...packet, qos });
      return Promise.resolve();
    },
    subscribe: (topics, qos) =>
      ask((messageId) => ({
        cmd: "subscribe",
        messageId,
        subscriptions: topics.map((topic) => ({ topic, qos })),
      })),
    unsubscribe: (topic) => ask((messageId) => ({ cmd: "unsubscribe", messageId, unsubscriptions: [topic] })),
    ping: () => void write({ cmd: "pingreq" }),
    close() {
      closed = true;
      if (!socket.destroyed) socket.end(generate({ cmd: "disconnect" }));
    },
  };
  write({
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: 4,
    clean: true,
    clientId: agent,
    keepalive: keepaliveSeconds,
    username: agent,
    password: Buffer.from("bench"),
  });
  return ready.promise;
}

/** Cuts a stream of bytes into packets; the body handed over is a buffer of its own. */
export function packetReader(packet: (head: number, body: Buffer) => void): (bytes: Buffer) => void {
  let head = -1;
  let length = 0;
  let shift = 0;
  let body: Buffer | undefined;
  let filled = 0;
  return (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      if (head < 0) {
        head = bytes[at++] as number;
        continue;
      }
      if (!body) {
        const byte = bytes[at++] as number;
        length += (byte & 0x7f) << shift;
        shift += 7;
        if (byte >= 0x80) continue;
        body = Buffer.allocUnsafeSlow(length);
        filled = 0;
      }
      const taken = Math.min(length - filled, bytes.length - at);
      bytes.copy(body, filled, at, at + taken);
      filled += taken;
      at += taken;
      if (filled < length) continue;
      const [whole, first] = [body, head];
      head = -1;
      length = 0;
      shift = 0;
      body = undefined;
      packet(first, whole);
    }
  };
}
