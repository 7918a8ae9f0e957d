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
  /**
   * Online; or it was when this control plane went down, and has had no time to say hello anew. For who decides by absence: a
   * restart is not that all devices went away.
   */
  there(agent: string): boolean;
  /** UTC ms since the start, or undefined. */
  lastSeen(agent: string): number | undefined;
  /** Writes down what is not yet written, and stops. */
  close(): Promise<void>;
}

/** 2.5 heartbeats of at most 60 s. */
const leaseMs = 150_000;
const writeEveryMs = 10_000;

/** @param ports.before devices as they were known before this start. */
export function createPresence(ports: {
  db: Database;
  clock: Clock;
  logger: Logger;
  before?: readonly { readonly agent: string; readonly lastSeen: number | null }[];
}): Presence {
  const { db, clock, logger, before = [] } = ports;
  const startedAt = clock.now();
  const downAt = before.reduce((latest, { lastSeen }) => Math.max(latest, lastSeen ?? 0), 0);
  const expected = new Set(
    before.flatMap(({ agent, lastSeen }) => ((lastSeen ?? 0) > downAt - leaseMs ? [agent] : [])),
  );
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

  const online = (agent: string): boolean => {
    const current = known.get(agent);
    return current?.on === true && clock.now() - current.at <= leaseMs;
  };
  return {
    said(agent, on, sid) {
      const current = known.get(agent);
      if (on) alive(agent, sid);
      else if (current && (current.sid === undefined || current.sid === sid))
        known.set(agent, { ...current, on: false });
    },
    seen: (agent) => alive(agent, known.get(agent)?.sid),
    online,
    there: (agent) => online(agent) || (expected.has(agent) && !known.has(agent) && clock.now() - startedAt <= leaseMs),
    lastSeen: (agent) => known.get(agent)?.at,
    async close() {
      cancel();
      await write();
    },
  };
}
