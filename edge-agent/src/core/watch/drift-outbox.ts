/**
 * What a device keeps of its drift watches, and what waits to go up (`parcel-outbox.ts`): one file a version,
 * `drift/{digest}.json`, with the state of its watch.
 */
import { fromBase64, toBase64, toHex } from "@vedette/protocol/bytes";
import { type DriftAck, driftVerdicts, driftWindow } from "@vedette/protocol/drift";
import { epochId, modelName } from "@vedette/protocol/ids";
import { z } from "zod";
import { openParcelOutbox, type Waiting, waitingOf } from "../parcel-outbox.ts";
import type { Ports } from "../ports.ts";

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
  /** A parcel of other kernels than the state's says which. */
  waiting: z.array(parcel.extend({ abi: z.int().min(1).optional() })),
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

/** With the abi of the kernels that made it. */
type KeptParcel = Parcel & { readonly abi: number };
interface Kept extends Waiting<KeptParcel> {
  readonly digest: string;
  /** Of the kernels that made the state. */
  abi: number;
  state: WatchState | null;
}

/** Reads what is kept; what is damaged is told and begun anew, since drift is no reason not to serve. */
export async function openDriftOutbox(options: {
  ports: Pick<Ports, "clock" | "random" | "storage" | "log">;
  /** Sends a message to …/drift. @throws VedetteError offline. */
  publish(message: string): Promise<void>;
}): Promise<DriftOutbox> {
  const { ports, publish } = options;
  const { random, storage, log } = ports;
  const outbox = await openParcelOutbox<KeptParcel, Kept>({
    folder,
    ports,
    publish,
    read(digest, content) {
      const { model, abi, state, waiting } = file.parse(content);
      const parcels = waiting.map((one) => ({ ...one, abi: one.abi ?? abi }));
      return { ...waitingOf(digest, model, parcels), digest, abi, state: state && opened(state) };
    },
    content: closedFile,
    message: ({ model, digest }, one) => ({ model, digest, ...one }),
  });
  const { subjects } = outbox;

  return {
    of(model, digest, abi) {
      const one: Kept = subjects.get(digest) ?? { ...waitingOf<KeptParcel>(digest, model), digest, abi, state: null };
      subjects.set(digest, one);
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
          one.abi = abi;
          if (cut) one.waiting.push({ parcel: { ...cut, abi }, written: false });
          outbox.keep(one);
        },
      };
    },
    acked({ digest, epoch, n, refused }) {
      const one = subjects.get(digest);
      if (!one || !outbox.answered(one, epoch, n)) return;
      if (refused !== undefined) log.warn("drift.window_refused", { model: one.model, digest, n, why: refused });
      // Written with the next state: a parcel that is sent twice is stored once.
      one.changed = true;
      outbox.send();
    },
    connected: outbox.connected,
    disconnected: outbox.disconnected,
    async keepOnly(digests) {
      for (const one of [...subjects.values()]) {
        if (digests.has(one.digest) || one.waiting.length > 0) continue;
        subjects.delete(one.digest);
        await outbox.written();
        await storage.remove(`${folder}/${one.digest}.json`);
      }
    },
    close: outbox.close,
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
