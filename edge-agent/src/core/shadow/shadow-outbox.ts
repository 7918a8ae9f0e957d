/**
 * What a device keeps of its pairs, and what waits to go up (`parcel-outbox.ts`): one file a model, `shadow/{model}.json`, with
 * the state of the running pair.
 */
import { toHex } from "@vedette/protocol/bytes";
import { epochId, modelName, sha256Hex } from "@vedette/protocol/ids";
import { type ShadowAck, shadowParcel } from "@vedette/protocol/shadow";
import { z } from "zod";
import { openParcelOutbox, type Waiting, waitingOf } from "../parcel-outbox.ts";
import type { Ports } from "../ports.ts";

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

interface Kept extends Waiting<Parcel> {
  state: PairState | null;
  told: { pairs: number; skipped: number };
}

const nothing = { pairs: 0, skipped: 0 };

/** Reads what is kept; what is damaged is told and begun anew, since it is no reason not to serve. */
export async function openShadowOutbox(options: {
  ports: Pick<Ports, "clock" | "random" | "storage" | "log">;
  /** Sends a message to …/shadow. @throws VedetteError offline. */
  publish(message: string): Promise<void>;
}): Promise<ShadowOutbox> {
  const { ports, publish } = options;
  const { clock, random, log } = ports;
  const outbox = await openParcelOutbox<Parcel, Kept>({
    folder: "shadow",
    ports,
    publish,
    read(name, content) {
      const { state, waiting } = file.parse(content);
      return { ...waitingOf(name, modelName.parse(name), waiting), state, told: state ? toldOf(state) : nothing };
    },
    content: ({ state, waiting }) =>
      state || waiting.length > 0
        ? ({ v: 1, state, waiting: waiting.map((one) => one.parcel) } satisfies z.infer<typeof file>)
        : null,
    message: ({ model }, one) => ({ model, ...one }),
  });

  function keptOf(model: string): Kept {
    const made: Kept = outbox.subjects.get(model) ?? { ...waitingOf<Parcel>(model, model), state: null, told: nothing };
    outbox.subjects.set(model, made);
    return made;
  }

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
          outbox.keep(one);
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
          outbox.keep(one);
        },
      };
    },
    get waits() {
      return outbox.waits;
    },
    acked({ epoch, n, refused }) {
      for (const one of outbox.subjects.values()) {
        if (!outbox.answered(one, epoch, n)) continue;
        if (refused !== undefined) log.warn("shadow.parcel_refused", { model: one.model, n, why: refused });
        if (one.state) {
          // Written with the next state: a parcel that is sent twice is stored once.
          one.changed = true;
          outbox.send();
        } else outbox.keep(one);
      }
    },
    connected: outbox.connected,
    disconnected: outbox.disconnected,
    close: outbox.close,
  };
}

function toldOf({ pairs, skipped, tally: { counts } }: PairState): Kept["told"] {
  return { pairs: pairs + counts.rows, skipped: skipped + counts.skipped };
}
