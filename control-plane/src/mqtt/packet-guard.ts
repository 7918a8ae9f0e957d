/**
 * Bounds the length of packets before anything buffers them: aedes' parser keeps whatever a packet's header announces,
 * so that two sockets could cost 200 MB before login. The guard follows MQTT's fixed headers (3.1.1, section 2.2)
 * through the bytes that aedes reads, and ends the connection at the first header that announces too much.
 */
import type { Duplex } from "node:stream";

export interface PacketGuard {
  /** Looks at the next bytes. Answers what is wrong with them, or undefined. `limit`: bytes of one whole packet. */
  see(chunk: Uint8Array, limit: number): string | undefined;
}

export function createPacketGuard(): PacketGuard {
  /** Bytes of the packet's body still to come. */
  let body = 0;
  /** Bytes of the fixed header seen; 0 between packets. */
  let header = 0;
  let length = 0;
  return {
    see(chunk, limit) {
      let at = 0;
      while (at < chunk.length) {
        if (body > 0) {
          const skipped = Math.min(body, chunk.length - at);
          body -= skipped;
          at += skipped;
          continue;
        }
        const byte = chunk[at++] as number;
        header++;
        if (header === 1) {
          length = 0;
          continue;
        }
        length += (byte & 0x7f) * 128 ** (header - 2);
        if (length + header > limit) return `a packet of ${length + header} bytes or more, over ${limit}`;
        if (byte < 0x80) {
          body = length;
          header = 0;
        } else if (header === 5) return "a packet whose length has no end";
      }
      return undefined;
    },
  };
}

/** Lets a connection's reader have only what the guard lets pass. `limit` is asked at each read. */
export function guardReads(conn: Duplex, limit: () => number, refused: (why: string) => void): void {
  const guard = createPacketGuard();
  const read = conn.read.bind(conn);
  // aedes pulls with `read`, so this one method is the whole way in; a Transform between would copy every byte.
  conn.read = (size?: number): unknown => {
    const chunk: unknown = read(size);
    const why = chunk instanceof Uint8Array ? guard.see(chunk, limit()) : undefined;
    if (why === undefined) return chunk;
    refused(why);
    conn.destroy(new Error(why));
    return null;
  };
}
