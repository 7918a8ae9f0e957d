/**
 * What a device keeps of its pairs, and what waits to go up: one file a model, `shadow/{model}.json`, holds the state of the
 * running pair and the parcels that were cut, so that no row is ever in both. A parcel is sent once it is written down, and
 * kept until the control plane has answered that it stored it (or refused it for good).
 */
import { fromUtf8, toHex, utf8 } from "@vedette/protocol/bytes";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import { epochId, modelName, sha256Hex } from "@vedette/protocol/ids";
import { type ShadowAck, shadowParcel } from "@vedette/protocol/shadow";
import { z } from "zod";
import type { Ports } from "../ports.ts";
import { createTimer } from "../timing.ts";

const folder = "shadow";
const parcel = shadowParcel.omit({ model: true });
const pairState = z.object({
  answering: sha256Hex,
  beside: sha256Hex,
  epoch: epochId,
  n: z.int().min(0),
  /** Rows in parcels that were cut: asked of both, and skipped. */
  pairs: z.int().min(0),
  skipped: z.int().min(0),
  span: z.object({ from: z.number(), to: z.number() }).nullable(),
  tally: shadowParcel.pick({ counts: true, disagreements: true, omitted: true }),
});
const file = z.object({ v: z.literal(1), state: pairState.nullable(), waiting: z.array(parcel) });

type Parcel = z.infer<typeof parcel>;
/** All that a pair's watch needs to go on after a restart. */
export type PairState = z.infer<typeof pairState>;

/** The outbox as one model sees it. */
export interface ShadowKeep {
  /** Of the running pair, as it was put last, by this process or the one before. */
  readonly saved: PairState | null;
  /** Parcels that are not acknowledged. */
  readonly waiting: number;
  /** Rows of the running pair so far, as `tell` said last. */
  readonly pairs: number;
  readonly skipped: number;
  newEpoch(): string;
  /** Takes the state, and the parcel that was just cut from it; both are written together, soon. */
  put(state: PairState, cut?: Parcel): void;
  tell(pairs: number, skipped: number): void;
  /** The pair is done with: what was counted of it goes up. */
  end(): void;
}

export interface ShadowOutbox {
  of(model: string): ShadowKeep;
  /** Whether parcels wait for their answer. */
  readonly waits: boolean;
  /** What the control plane answered. */
  acked(ack: ShadowAck): void;
  connected(): void;
  disconnected(): void;
  /** Resolves when all is written, or could not be. */
  close(): Promise<void>;
}

interface Kept {
  readonly model: string;
  state: PairState | null;
  told: { pairs: number; skipped: number };
  waiting: { readonly parcel: Parcel; written: boolean }[];
  /** The one that was sent last, and not yet answered. */
  asked: Parcel | null;
  changed: boolean;
}

/** Without an answer a parcel is sent again. */
const againMs = 30_000;
const nothing = { pairs: 0, skipped: 0 };

/** Reads what is kept; what is damaged is told and begun anew, since it is no reason not to serve. */
export async function openShadowOutbox(options: {
  ports: Pick<Ports, "clock" | "random" | "storage" | "log">;
  /** Sends a message to …/shadow. @throws VedetteError offline. */
  publish(message: string): Promise<void>;
}): Promise<ShadowOutbox> {
  const { publish } = options;
  const { clock, random, storage, log } = options.ports;
  const kept = new Map<string, Kept>();
  let online = false;
  let closed = false;
  let writing: Promise<void> = Promise.resolve();
  const again = createTimer(clock, () => send(true));
  const path = (model: string) => `${folder}/${model}.json`;

  for (const name of await storage.list(folder)) {
    const model = name.replace(/\.json$/, "");
    try {
      const read = await storage.read(`${folder}/${name}`);
      if (!read) continue;
      const { state, waiting } = file.parse(JSON.parse(fromUtf8(read)));
      const one = keptOf(modelName.parse(model));
      one.state = state;
      one.told = state ? toldOf(state) : nothing;
      one.waiting = waiting.map((parcel) => ({ parcel, written: true }));
    } catch (error) {
      log.error("shadow.state_unreadable", { model, code: codeOf(error), why: messageOf(error) });
    }
  }

  function keptOf(model: string): Kept {
    const made = kept.get(model) ?? { model, state: null, told: nothing, waiting: [], asked: null, changed: false };
    kept.set(model, made);
    return made;
  }

  const write = async (one: Kept) => {
    if (!one.changed) return;
    one.changed = false;
    const cut = one.waiting.filter(({ written }) => !written);
    const { state, waiting } = one;
    const whole: z.infer<typeof file> = { v: 1, state, waiting: waiting.map(({ parcel }) => parcel) };
    try {
      if (state || waiting.length > 0) await storage.write(path(one.model), utf8(JSON.stringify(whole)));
      else await storage.remove(path(one.model));
      for (const each of cut) each.written = true;
      send(false);
    } catch (error) {
      one.changed = true; // with the next change, or at the end
      log.warn("shadow.not_kept", { model: one.model, code: codeOf(error), why: messageOf(error) });
    }
  };
  const queue = (one: Kept) => {
    one.changed = true;
    const now = () => write(one);
    writing = writing.then(now, now);
  };

  /** One parcel a model at a time, the oldest first. @param repeat whether to ask again what was not answered. */
  function send(repeat: boolean): void {
    if (!online || closed) return;
    for (const one of kept.values()) {
      const [first] = one.waiting;
      if (!first?.written || (one.asked === first.parcel && !repeat)) continue;
      one.asked = first.parcel;
      again.in(againMs);
      publish(JSON.stringify({ model: one.model, ...first.parcel })).catch((error: unknown) => {
        // Lost with the connection: it is sent again after the next one.
        if (codeOf(error) === "offline") return;
        log.warn("shadow.not_sent", { model: one.model, code: codeOf(error), why: messageOf(error) });
      });
    }
    if (!waits()) again.cancel();
  }
  const waits = () => [...kept.values()].some(({ waiting }) => waiting.length > 0);

  return {
    of(model) {
      const one = keptOf(model);
      return {
        get saved() {
          return one.state;
        },
        get waiting() {
          return one.waiting.length;
        },
        get pairs() {
          return one.told.pairs;
        },
        get skipped() {
          return one.told.skipped;
        },
        newEpoch: () => toHex(random.bytes(8)),
        put(state, cut) {
          one.state = state;
          one.told = toldOf(state);
          if (cut) one.waiting.push({ parcel: cut, written: false });
          queue(one);
        },
        tell(pairs, skipped) {
          one.told = { pairs, skipped };
        },
        end() {
          const { state } = one;
          if (!state) return;
          const { answering, beside, epoch, n, span, tally } = state;
          if (tally.counts.rows + tally.counts.skipped > 0) {
            const at = clock.now();
            const window = { epoch, n, ...(span ?? { from: at, to: at }) };
            one.waiting.push({ parcel: { answering, beside, window, ...tally }, written: false });
          }
          one.state = null;
          one.told = nothing;
          queue(one);
        },
      };
    },
    get waits() {
      return waits();
    },
    acked({ epoch, n, refused }) {
      const mine = ({ parcel: { window } }: Kept["waiting"][number]) => window.epoch === epoch && window.n === n;
      for (const one of kept.values()) {
        const answered = one.waiting.find(mine);
        if (!answered) continue;
        one.waiting = one.waiting.filter((each) => each !== answered);
        if (refused !== undefined) log.warn("shadow.parcel_refused", { model: one.model, n, why: refused });
        if (one.state) {
          // Written with the next state: a parcel that is sent twice is stored once.
          one.changed = true;
          send(false);
        } else queue(one);
      }
    },
    connected() {
      online = true;
      send(true);
    },
    disconnected() {
      online = false;
      again.cancel();
    },
    async close() {
      again.cancel();
      closed = true;
      for (const one of kept.values()) if (one.changed) queue(one);
      await writing;
    },
  };
}

function toldOf({ pairs, skipped, tally: { counts } }: PairState): Kept["told"] {
  return { pairs: pairs + counts.rows, skipped: skipped + counts.skipped };
}
