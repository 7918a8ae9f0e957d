/**
 * Parcels that wait to go up: one file a subject holds its state and the parcels that were cut from it, so that no row is
 * ever in both. A parcel is sent once it is written down, and kept until the control plane has answered that it stored it
 * (or refused it for good). What a subject is, `watch/drift-outbox.ts` and `shadow/shadow-outbox.ts` say.
 */
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { Ports } from "./ports.ts";
import { createTimer } from "./timing.ts";

/** What waits of one subject. */
export interface Waiting<Parcel> {
  /** Of its file. */
  readonly name: string;
  readonly model: string;
  /** The oldest first. */
  waiting: { readonly parcel: Parcel; written: boolean }[];
  /** The one that was sent last, and not yet answered. */
  asked: Parcel | null;
  /** Something is not written down. */
  changed: boolean;
}
/** @param parcels that a former process has written down. */
export function waitingOf<Parcel>(name: string, model: string, parcels: readonly Parcel[] = []): Waiting<Parcel> {
  const waiting = parcels.map((parcel) => ({ parcel, written: true }));
  return { name, model, waiting, asked: null, changed: false };
}

export interface ParcelOutbox<Parcel, Subject extends Waiting<Parcel>> {
  /** By the names of their files. */
  readonly subjects: Map<string, Subject>;
  /** Whether parcels wait for their answer. */
  readonly waits: boolean;
  /** Writes down a subject that changed, soon, and sends what is new of it. */
  keep(subject: Subject): void;
  /** Forgets a parcel that the control plane answered. Answers whether it waited; the caller keeps the subject. */
  answered(subject: Subject, epoch: string, n: number): boolean;
  /** Sends what is next, where it was not sent already. */
  send(): void;
  connected(): void;
  disconnected(): void;
  /** Resolves when all that was to be written down is, or could not be. */
  written(): Promise<void>;
  /** Sends no more; resolves as `written`. */
  close(): Promise<void>;
}

/** Without an answer a parcel is sent again. */
const againMs = 30_000;

/**
 * Reads what is kept; what is damaged is told and begun anew, since it is no reason not to serve.
 * @param options.folder of the files; log events begin with it.
 * @param options.read a file's subject; whatever it throws makes the file a damaged one.
 * @param options.content what is to stand in a subject's file; null: it needs none.
 * @param options.publish sends a message up. @throws VedetteError offline.
 */
export async function openParcelOutbox<
  Parcel extends { readonly window: { readonly epoch: string; readonly n: number } },
  Subject extends Waiting<Parcel>,
>(options: {
  folder: string;
  ports: Pick<Ports, "clock" | "storage" | "log">;
  read(name: string, content: unknown): Subject;
  content(subject: Subject): object | null;
  message(subject: Subject, parcel: Parcel): object;
  publish(message: string): Promise<void>;
}): Promise<ParcelOutbox<Parcel, Subject>> {
  const { folder } = options;
  const { clock, storage, log } = options.ports;
  const subjects = new Map<string, Subject>();
  let online = false;
  let closed = false;
  let writing: Promise<void> = Promise.resolve();
  const again = createTimer(clock, () => send(true));

  for (const file of await storage.list(folder)) {
    const name = file.replace(/\.json$/, "");
    try {
      const bytes = await storage.read(`${folder}/${file}`);
      if (bytes) subjects.set(name, options.read(name, JSON.parse(fromUtf8(bytes))));
    } catch (error) {
      log.error(`${folder}.state_unreadable`, { name, code: codeOf(error), why: messageOf(error) });
    }
  }

  const write = async (one: Subject) => {
    if (!one.changed) return;
    one.changed = false;
    const cut = one.waiting.filter(({ written }) => !written);
    const path = `${folder}/${one.name}.json`;
    try {
      const content = options.content(one);
      if (content) await storage.write(path, utf8(JSON.stringify(content)));
      else await storage.remove(path);
      for (const each of cut) each.written = true;
      send(false);
    } catch (error) {
      one.changed = true; // with the next change, or at the end
      log.warn(`${folder}.not_kept`, { model: one.model, code: codeOf(error), why: messageOf(error) });
    }
  };
  const keep = (one: Subject) => {
    one.changed = true;
    const now = () => write(one);
    writing = writing.then(now, now);
  };

  /** One parcel a subject at a time, the oldest first. @param repeat whether to ask again what was not answered. */
  function send(repeat: boolean): void {
    if (!online || closed) return;
    for (const one of subjects.values()) {
      const [first] = one.waiting;
      if (!first?.written || (one.asked === first.parcel && !repeat)) continue;
      one.asked = first.parcel;
      again.in(againMs);
      options.publish(JSON.stringify(options.message(one, first.parcel))).catch((error: unknown) => {
        // Lost with the connection: it is sent again after the next one.
        if (codeOf(error) === "offline") return;
        log.warn(`${folder}.not_sent`, { model: one.model, code: codeOf(error), why: messageOf(error) });
      });
    }
    if (!waits()) again.cancel();
  }
  const waits = () => [...subjects.values()].some(({ waiting }) => waiting.length > 0);

  return {
    subjects,
    get waits() {
      return waits();
    },
    keep,
    answered(one, epoch, n) {
      const left = one.waiting.filter(({ parcel: { window } }) => window.epoch !== epoch || window.n !== n);
      const waited = left.length < one.waiting.length;
      one.waiting = left;
      return waited;
    },
    send: () => send(false),
    connected() {
      online = true;
      send(true);
    },
    disconnected() {
      online = false;
      again.cancel();
    },
    written: () => writing,
    async close() {
      again.cancel();
      closed = true;
      for (const one of subjects.values()) if (one.changed) keep(one);
      await writing;
    },
  };
}
