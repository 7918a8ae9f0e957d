/**
 * What a device keeps of its drift watches, and what waits to go up: one file a version, `drift/{digest}.json`, holds the
 * state and the parcels that were cut from it, so that no row is ever in both. A parcel is sent once it is written down,
 * and kept until the control plane has answered that it stored it (or refused it for good).
 */
import { fromBase64, fromUtf8, toBase64, toHex, utf8 } from "@vedette/protocol/bytes";
import { type DriftAck, driftVerdicts, driftWindow } from "@vedette/protocol/drift";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import { epochId, modelName } from "@vedette/protocol/ids";
import { z } from "zod";
import type { Ports } from "../ports.ts";
import { createTimer } from "../timing.ts";

const folder = "drift";
const verdict = z.enum(driftVerdicts);
const bytes = z.base64();
const parcel = driftWindow.pick({ window: true, snapshot: true, verdict: true, top: true, logE: true });
const stateFile = z.object({
  hash: z.string(),
  epoch: epochId,
  n: z.int().min(0),
  windows: z.int().min(0),
  seen: z.number(),
  opened: z.number(),
  span: z.object({ from: z.number(), to: z.number() }).nullable(),
  loudest: z.object({ verdict, top: z.string().nullable(), logE: z.number() }).nullable(),
  standing: z.object({ verdict, top: z.string().nullable(), raisedAfter: z.number(), quiet: z.number() }),
  state: bytes,
  parcel: bytes.nullable(),
});
const file = z.object({
  v: z.literal(1),
  model: modelName,
  abi: z.int().min(1),
  state: stateFile.nullable(),
  waiting: z.array(parcel),
});

export type Parcel = z.infer<typeof parcel>;
/** All that a watch needs to go on after a restart. */
export interface WatchState extends Omit<z.infer<typeof stateFile>, "state" | "parcel"> {
  readonly state: Uint8Array;
  /** What waits to go up with the next parcel. */
  readonly parcel: Uint8Array | null;
}

/** The outbox as one watch sees it. */
export interface WatchKeep {
  /** As a former process, or a former watch of this version, left it. */
  readonly saved: WatchState | null;
  /** Parcels that are not acknowledged. */
  readonly waiting: number;
  newEpoch(): string;
  /** Takes the state, and the parcel that was just cut from it; both are written together, soon. */
  put(state: WatchState, cut?: Parcel): void;
}

export interface DriftOutbox {
  of(model: string, digest: string, abi: number): WatchKeep;
  /** What the control plane answered. */
  acked(ack: DriftAck): void;
  connected(): void;
  disconnected(): void;
  /** Forgets versions that are not on the device any more, once nothing of them waits. */
  keepOnly(digests: ReadonlySet<string>): Promise<void>;
  /** Resolves when all is written, or could not be. */
  close(): Promise<void>;
}

interface Kept {
  readonly model: string;
  readonly digest: string;
  readonly abi: number;
  state: WatchState | null;
  waiting: { readonly parcel: Parcel; written: boolean }[];
  /** The one that was sent last, and not yet answered. */
  asked: Parcel | null;
  changed: boolean;
}

/** Without an answer a parcel is sent again. */
const againMs = 30_000;

/** Reads what is kept; what is damaged is told and begun anew, since drift is no reason not to serve. */
export async function openDriftOutbox(options: {
  ports: Pick<Ports, "clock" | "random" | "storage" | "log">;
  /** Sends a message to …/drift. @throws VedetteError offline. */
  publish(message: string): Promise<void>;
}): Promise<DriftOutbox> {
  const { publish } = options;
  const { clock, random, storage, log } = options.ports;
  const kept = new Map<string, Kept>();
  let online = false;
  let closed = false;
  let writing: Promise<void> = Promise.resolve();
  const again = createTimer(clock, () => send(true));

  for (const name of await storage.list(folder)) {
    const digest = name.replace(/\.json$/, "");
    try {
      const read = await storage.read(`${folder}/${name}`);
      if (!read) continue;
      const { model, abi, state, waiting } = file.parse(JSON.parse(fromUtf8(read)));
      const known = waiting.map((one) => ({ parcel: one, written: true }));
      kept.set(digest, {
        model,
        digest,
        abi,
        state: state && opened(state),
        waiting: known,
        asked: null,
        changed: false,
      });
    } catch (error) {
      log.error("drift.state_unreadable", { digest, code: codeOf(error), why: messageOf(error) });
    }
  }

  const write = async (one: Kept) => {
    if (!one.changed) return;
    one.changed = false;
    const cut = one.waiting.filter(({ written }) => !written);
    try {
      await storage.write(`${folder}/${one.digest}.json`, utf8(JSON.stringify(closedFile(one))));
      for (const each of cut) each.written = true;
      send(false);
    } catch (error) {
      one.changed = true; // with the next change, or in a while
      log.warn("drift.not_kept", { model: one.model, code: codeOf(error), why: messageOf(error) });
    }
  };
  const queue = (one: Kept) => {
    one.changed = true;
    const now = () => write(one);
    writing = writing.then(now, now);
  };

  /** One parcel a version at a time, the oldest first. @param repeat whether to ask again what was not answered. */
  function send(repeat: boolean): void {
    if (!online || closed) return;
    for (const one of kept.values()) {
      const { model, digest, abi, waiting } = one;
      const [first] = waiting;
      if (!first?.written || (one.asked === first.parcel && !repeat)) continue;
      one.asked = first.parcel;
      again.in(againMs);
      publish(JSON.stringify({ model, digest, abi, ...first.parcel })).catch((error: unknown) => {
        // Lost with the connection: it is sent again after the next one.
        if (codeOf(error) !== "offline")
          log.warn("drift.not_sent", { model, code: codeOf(error), why: messageOf(error) });
      });
    }
    if (![...kept.values()].some(({ waiting }) => waiting.length > 0)) again.cancel();
  }

  return {
    of(model, digest, abi) {
      const one: Kept = kept.get(digest) ?? {
        model,
        digest,
        abi,
        state: null,
        waiting: [],
        asked: null,
        changed: false,
      };
      kept.set(digest, one);
      return {
        get saved() {
          return one.abi === abi ? one.state : null;
        },
        get waiting() {
          return one.waiting.length;
        },
        newEpoch: () => toHex(random.bytes(8)),
        put(state, cut) {
          one.state = state;
          if (cut) one.waiting.push({ parcel: cut, written: false });
          queue(one);
        },
      };
    },
    acked({ digest, epoch, n, refused }) {
      const one = kept.get(digest);
      const before = one?.waiting.length;
      if (!one) return;
      one.waiting = one.waiting.filter(({ parcel: { window } }) => window.epoch !== epoch || window.n !== n);
      if (one.waiting.length === before) return;
      if (refused !== undefined) log.warn("drift.window_refused", { model: one.model, digest, n, why: refused });
      // Written with the next state: a parcel that is sent twice is stored once.
      one.changed = true;
      send(false);
    },
    connected() {
      online = true;
      send(true);
    },
    disconnected() {
      online = false;
      again.cancel();
    },
    async keepOnly(digests) {
      for (const one of [...kept.values()]) {
        if (digests.has(one.digest) || one.waiting.length > 0) continue;
        kept.delete(one.digest);
        await writing;
        await storage.remove(`${folder}/${one.digest}.json`);
      }
    },
    async close() {
      again.cancel();
      closed = true;
      for (const one of kept.values()) if (one.changed) queue(one);
      await writing;
    },
  };
}

function closedFile({ model, abi, state, waiting }: Kept): z.infer<typeof file> {
  const closed = state && {
    ...state,
    state: toBase64(state.state),
    parcel: state.parcel && toBase64(state.parcel),
  };
  return { v: 1, model, abi, state: closed, waiting: waiting.map(({ parcel: one }) => one) };
}

function opened(state: z.infer<typeof stateFile>): WatchState {
  return { ...state, state: fromBase64(state.state), parcel: state.parcel === null ? null : fromBase64(state.parcel) };
}
