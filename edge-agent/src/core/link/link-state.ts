/**
 * What the link remembers over restarts: the highest revision followed, the lowest time it can be, and who directs. Also
 * the device's idea of true time: its own clock may be wrong, the director's signed answer to a fresh nonce is not.
 */
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { type TargetsExtension, targetsExtension } from "@vedette/protocol/trust";
import { z } from "zod";
import type { Clock, Storage } from "../ports.ts";
import { readTwice, writeTwice } from "../store/kept-twice.ts";

const path = "link.json";
const stateFile = z.object({
  v: z.literal(1),
  rev: z.int().min(0),
  /** UTC ms of the latest signed assignment: it is not earlier than that. */
  timeFloor: z.number(),
  /** From the last trusted targets metadata: verifies an assignment while newer metadata cannot be judged. */
  director: targetsExtension.shape.director.nullable(),
});

export interface LinkState {
  readonly rev: number;
  readonly director: TargetsExtension["director"] | null;
  /** UTC ms: by the director's last signed word where there was one in this process, else the later of clock and floor. */
  referenceTime(): number;
  /** What to add to the device's clock to reach the control plane's; 0 while unknown. ms. */
  offset(): number | null;
  /** Takes a signed time (UTC ms) that answers a fresh nonce. */
  heardTime(issued: number): void;
  /** Resolves when it would outlive a power failure. */
  follow(rev: number, director: TargetsExtension["director"]): Promise<void>;
}

/** @throws VedetteError storage_failed where the file is none of ours: it holds the rollback guard and is not made up. */
export async function openLinkState(ports: { storage: Storage; clock: Clock }): Promise<LinkState> {
  const { clock, storage } = ports;
  let saved = await load(storage);
  /** UTC ms at monotonic 0, by the director. */
  let origin: number | undefined;
  return {
    get rev() {
      return saved.rev;
    },
    get director() {
      return saved.director;
    },
    referenceTime: () => (origin === undefined ? Math.max(clock.now(), saved.timeFloor) : origin + clock.monotonic()),
    offset: () => (origin === undefined ? null : origin + clock.monotonic() - clock.now()),
    heardTime(issued) {
      origin = issued - clock.monotonic();
    },
    async follow(rev, director) {
      const heard = origin === undefined ? saved.timeFloor : Math.floor(origin + clock.monotonic());
      const next = { v: 1 as const, rev, timeFloor: Math.max(saved.timeFloor, heard), director };
      await writeTwice(storage, path, utf8(JSON.stringify(next)));
      saved = next;
    },
  };
}

async function load(storage: Storage): Promise<z.infer<typeof stateFile>> {
  try {
    const saved = await readTwice({ storage }, path, (bytes) => stateFile.parse(JSON.parse(fromUtf8(bytes))));
    return saved ?? { v: 1, rev: 0, timeFloor: 0, director: null };
  } catch (cause) {
    const why = `${path} on this device cannot be read (${messageOf(cause)})`;
    throw new VedetteError("storage_failed", `${why}: restore it, or enrol this device again`, { cause });
  }
}
