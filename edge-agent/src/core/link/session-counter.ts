/**
 * Numbers the device's sessions with the broker. They only grow, over restarts and wrong clocks, for the control plane
 * believes nothing of an older session. They follow the control plane's time, which each login tells, so that a device that was
 * killed on a full disk takes no number twice, whatever its own clock says; and they are claimed from the disk by the thousand,
 * so that they grow even where the control plane's clock was set back, and a connection costs no write.
 */
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { messageOf } from "@vedette/protocol/errors";
import { z } from "zod";
import type { Logger, Storage } from "../ports.ts";

const path = "sessions.json";
const claimed = z.object({ v: z.literal(1), below: z.int().min(0) });
const claimSize = 1000;

export interface SessionCounter {
  /**
   * A number above all before.
   * @param at the control plane's time, Unix ms: the number, where none as high was given.
   */
  next(at: number): Promise<number>;
}

/** Never throws: a full or damaged disk must not keep a device from the broker, and then the time counts alone. */
export async function openSessionCounter(ports: { storage: Storage; log: Logger }): Promise<SessionCounter> {
  const { storage, log } = ports;
  let below = await load(storage).catch((error: unknown) => {
    log.warn("link.session_counter_unreadable", { why: messageOf(error) });
    return 0;
  });
  let sid = below - 1;
  return {
    async next(at) {
      sid = Math.max(sid + 1, Math.floor(at), 0);
      if (sid < below) return sid;
      below = sid + claimSize;
      try {
        await storage.write(path, utf8(JSON.stringify({ v: 1, below } satisfies z.infer<typeof claimed>)));
      } catch (error) {
        log.warn("link.session_counter_unwritten", { why: messageOf(error) });
      }
      return sid;
    },
  };
}

async function load(storage: Storage): Promise<number> {
  const bytes = await storage.read(path);
  return bytes ? claimed.parse(JSON.parse(fromUtf8(bytes))).below : 0;
}
