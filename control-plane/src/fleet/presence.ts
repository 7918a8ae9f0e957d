/**
 * Who is there. Kept in memory, because after a restart every device says hello anew; when devices were last seen is
 * written down now and then. A lease ends what a lost farewell would leave alive: wills die with the broker.
 */
import { messageOf } from "@vedette/protocol/errors";
import type { Database } from "../db/database.ts";
import type { Clock, Logger } from "../ports.ts";

export interface Presence {
  /** A farewell counts only for the session that it ends. */
  said(agent: string, on: boolean, sid: number): void;
  /** Any sign of life. */
  seen(agent: string): void;
  online(agent: string): boolean;
  /** UTC ms since the start, or undefined. */
  lastSeen(agent: string): number | undefined;
  /** Writes down what is not yet written, and stops. */
  close(): Promise<void>;
}

/** 2.5 heartbeats of at most 60 s. */
export const leaseMs = 150_000;
const writeEveryMs = 10_000;

export function createPresence(ports: { db: Database; clock: Clock; logger: Logger }): Presence {
  const { db, clock, logger } = ports;
  const known = new Map<string, { sid: number | undefined; on: boolean; at: number }>();
  const unwritten = new Map<string, number>();

  async function write(): Promise<void> {
    const times = [...unwritten].map(([agent, at]) => ({ agent, at }));
    unwritten.clear();
    if (times.length > 0) await db.devices.seen(times);
  }
  let cancel = clock.after(writeEveryMs, tick);
  function tick(): void {
    write().catch((error: unknown) => logger.error("presence.write_failed", { why: messageOf(error) }));
    cancel = clock.after(writeEveryMs, tick);
  }
  function alive(agent: string, sid: number | undefined): void {
    const at = clock.now();
    known.set(agent, { sid, on: true, at });
    unwritten.set(agent, at);
  }

  return {
    said(agent, on, sid) {
      const current = known.get(agent);
      if (on) alive(agent, sid);
      else if (current && (current.sid === undefined || current.sid === sid))
        known.set(agent, { ...current, on: false });
    },
    seen: (agent) => alive(agent, known.get(agent)?.sid),
    online(agent) {
      const current = known.get(agent);
      return current?.on === true && clock.now() - current.at <= leaseMs;
    },
    lastSeen: (agent) => known.get(agent)?.at,
    async close() {
      cancel();
      await write();
    },
  };
}
