/**
 * Models that are served elsewhere. Their predictions come in as events (HTTP), are written down before they are answered
 * for, wait for their other half, and become batches of the prediction log, signed here; from there on they are predictions as
 * any other. What they were asked is held against the reference by the kernels that devices have.
 */
import { VedetteError } from "@vedette/protocol/errors";
import type { Watch, WatchAnswer, WatchSpec } from "@vedette/protocol/watch-api";
import { maxWatchValues, watchAgent } from "@vedette/protocol/watch-api";
import { KernelError, type Kernels } from "@vedette/wasm-kernels";
import type { Database } from "../../db/database.ts";
import type { WatchEventRecord, WatchRecord } from "../../db/records.ts";
import type { ReceivedHalves } from "../../db/watches.ts";
import type { Clock, Ingestion, Logger } from "../../ports.ts";
import { createSerial } from "../../serial.ts";
import type { AlertPort } from "../alerts/alerts.ts";
import { driftAlert, watchedElsewhere } from "../alerts/drift-alert.ts";
import type { ReceivedEvent, Unreadable } from "./events.ts";
import { framesOf, type Signer, type WatchedPrediction } from "./frames.ts";
import { readRequest, readResponse, readRow } from "./payloads.ts";
import { type WatchedDrift, watchDrift } from "./watched-drift.ts";

/** How long one half of a prediction waits for the other. */
const pairWithinMs = 10 * 60_000;
/** How long an id is known, so that what a sender sends again counts once. */
const rememberMs = 30 * 86_400_000;
/** How long batches are kept that the log has: a backup takes the log before this database. */
const keepFramesMs = 3_600_000;
/** Events that may wait here before senders are asked to wait, too. */
const mostWaiting = 500_000;
/** Events of one round of one model, and bytes of them as they wait: their values take many times as much memory. */
const round = { events: 500, bytes: 8 * 1024 * 1024 };
const mostRefusalsTold = 20;

type NewWatch = Pick<WatchRecord, "model" | "digest" | "release" | "spec" | "reference">;
export interface Watches {
  /** @throws VedetteError conflict; invalid_argument where the reference is none of these kernels or of other fields. */
  add(watch: NewWatch, actor: string): Promise<void>;
  /** What came stays in the log. @throws VedetteError not_found. */
  remove(model: string, actor: string): Promise<void>;
  list(): Promise<Watch[]>;
  /** Durable when it resolves. @throws VedetteError not_found, busy, too_large. */
  take(model: string, events: readonly (ReceivedEvent | Unreadable)[]): Promise<WatchAnswer>;
  /** Makes batches of what is whole, and hands them to the log. */
  settle(): Promise<void>;
  /** Hands over what is here and keeps none of it: before somebody is erased from the log. */
  empty(): Promise<void>;
  close(): void;
}

export async function openWatches(ports: {
  db: Database;
  kernels: Pick<Kernels, "openReference">;
  signer: Signer;
  ingestion: Pick<Ingestion, "take">;
  alerts: AlertPort;
  clock: Clock;
  logger: Logger;
  randomBytes: (length: number) => Buffer;
}): Promise<Watches> {
  const { db, kernels, signer, ingestion, alerts, clock, logger, randomBytes } = ports;
  // A restored backup may hold an older log than what is noted here as handed over: the log knows what it has.
  await db.watches.sendAgain();
  const specs = new Map((await db.watches.list()).map(({ model, spec }) => [model, spec]));
  let waiting = total(await db.watches.waiting());
  /** Null: its reference is none of these kernels, and nothing can be said of drift. */
  const drifts = new Map<string, WatchedDrift | null>();
  /** An epoch for each run of this process: its numbers begin at 0, whatever a backup knew. */
  const places = new Map<string, { epoch: string; seq: number; n: number }>();
  const serial = createSerial();

  const open = ({ reference, spec, window }: Pick<WatchRecord, "reference" | "spec" | "window">) =>
    watchDrift(kernels, { reference, fields: spec.fields, ...spec.drift }, window);
  /** Predictions are stored also where nothing can be said of their drift. */
  const openDrift = (watch: WatchRecord) => {
    try {
      return open(watch);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      const todo = "remove the watch and add it again with this version of vedette";
      logger.error("watch.reference_refused", { model: watch.model, why: error.message, todo });
      return null;
    }
  };
  const forget = (model: string) => {
    drifts.get(model)?.free();
    drifts.delete(model);
  };

  /** Puts the next whole events of a model into batches. Answers whether there may be more. */
  const cut = async (watch: WatchRecord): Promise<boolean> => {
    const { model, digest, release, spec } = watch;
    const now = clock.now();
    const events = await db.watches.ready(model, now - pairWithinMs, round);
    if (events.length === 0) return false;
    const predictions = events.flatMap(predictionsOf);
    const place = places.get(model) ?? { epoch: randomBytes(8).toString("hex"), seq: 0, n: 0 };
    const { frames } = framesOf(predictions, spec.fields, { model, digest, release, ...place }, signer, now);
    const known = drifts.get(model);
    const drift = known === undefined ? openDrift(watch) : known;
    drifts.set(model, drift);
    try {
      const full = drift?.observe(
        predictions.flatMap(({ inputs }) => (inputs ? [inputs] : [])),
        now,
      );
      const progress = {
        window: drift?.save() ?? watch.window,
        drift: full ?? watch.drift,
        predictions: predictions.length,
      };
      await db.watches.cut(
        model,
        events.map(({ seq }) => seq),
        frames,
        progress,
        now,
      );
      if (full) await tell(watch, full);
    } catch (error) {
      // What was counted and not written is counted again from what is written.
      forget(model);
      throw error;
    }
    places.set(model, { epoch: place.epoch, seq: place.seq + frames.length, n: place.n + predictions.length });
    return true;
  };

  const tell = async ({ model, release }: WatchRecord, drift: NonNullable<Watch["drift"]>) => {
    const moved = drift.fields.filter(({ verdict }) => verdict === "drift").map(({ name }) => name);
    const key = `${watchedElsewhere}${model}`;
    if (moved.length === 0) return alerts.clear(key);
    const detail = `Of the server that is watched, over its last ${drift.rows} requests.`;
    const where = { served: "elsewhere" };
    return alerts.raise(driftAlert({ model, version: release, where, fields: moved, harm: "unknown", detail, key }));
  };

  const send = async (): Promise<void> => {
    for (;;) {
      const frames = await db.watches.frames(16);
      for (const { id, model, frame } of frames) {
        const ack = await ingestion.take(watchAgent, model, frame);
        if ("pause" in ack) return;
        if ("reject" in ack) logger.error("watch.refused", { model, why: ack.why });
        await db.watches.taken(id, clock.now());
      }
      if (frames.length < 16) return;
    }
  };

  const settle = async (): Promise<void> => {
    for (const watch of await db.watches.list()) {
      let now: WatchRecord | undefined = watch;
      while (now && (await cut(now))) now = (await db.watches.list()).find(({ model }) => model === watch.model);
    }
    await send();
    await db.watches.prune(clock.now() - rememberMs, clock.now() - keepFramesMs);
    waiting = total(await db.watches.waiting());
  };

  return {
    async add(watch, actor) {
      const { model, spec, version } = { ...watch, version: watch.release };
      try {
        open({ ...watch, window: null }).free();
      } catch (cause) {
        const why = "its drift reference is none that these kernels read: make it anew with this version of vedette";
        throw new VedetteError("invalid_argument", `${model} cannot be watched: ${why}`, { cause });
      }
      const detail = { version, fields: spec.fields.length, task: spec.task };
      await db.watches.add(watch, { at: clock.now(), actor, action: "watch.add", subject: model, detail });
      specs.set(model, spec);
    },
    remove: (model, actor) =>
      serial(async () => {
        const entry = { at: clock.now(), actor, action: "watch.remove", subject: model, detail: {} };
        if (!(await db.watches.remove(model, entry))) throw notWatched(model);
        specs.delete(model);
        forget(model);
        await alerts.clear(`${watchedElsewhere}${model}`);
      }),
    async list() {
      const open = await db.watches.waiting();
      return (await db.watches.list()).map((one) => toWatch(one, open.get(one.model) ?? 0));
    },
    async take(model, events) {
      const spec = specs.get(model);
      if (!spec) throw notWatched(model);
      if (waiting >= mostWaiting)
        throw new VedetteError("busy", `${waiting} events wait here to be stored already: send again later`);
      let values = 0;
      const read = events.map((event) => {
        const one = readEvent(event, spec);
        if (!("why" in one)) values += (one.request?.rows.length ?? 0) * spec.fields.length;
        if (values > maxWatchValues)
          throw new VedetteError("too_large", `over ${maxWatchValues} values in one request: send it in parts`);
        return one;
      });
      const good = read.flatMap((one) => ("why" in one ? [] : [one]));
      const refused = read.flatMap((one) => ("why" in one ? [{ id: one.id, why: one.why }] : []));
      const last = refused.at(-1)?.why.slice(0, 500) ?? null;
      const accepted = await db.watches.receive(model, good, { count: refused.length, why: last }, clock.now());
      waiting += accepted;
      return { accepted, repeated: good.length - accepted, refused: refused.slice(0, mostRefusalsTold) };
    },
    settle: () => serial(settle),
    empty: () =>
      serial(async () => {
        await settle();
        await db.watches.prune(clock.now() - rememberMs, clock.now() + 1);
      }),
    close() {
      for (const model of [...drifts.keys()]) forget(model);
    },
  };
}

function readEvent(event: ReceivedEvent | Unreadable, spec: WatchSpec): ReceivedHalves | Unreadable {
  if (event.kind === "refused") return event;
  const { id } = event;
  try {
    if (event.kind === "request") {
      const { rows, entity } = readRequest(event.data, spec);
      return { id, request: { time: event.time, entity, rows } };
    }
    if (event.kind === "response") {
      const rows = readResponse(event.data, spec);
      return { id, response: { time: event.time, latencyMs: null, rows } };
    }
    const { row } = event;
    const { inputs, output } = readRow(row, spec);
    const time = row.time === undefined ? null : Date.parse(row.time);
    return {
      id,
      request: { time, entity: row.entity ?? null, rows: [inputs] },
      response: { time: null, latencyMs: row.latencyMs ?? null, rows: [output] },
    };
  } catch (error) {
    if (!(error instanceof VedetteError && error.user)) throw error;
    return { kind: "refused", id, why: error.message };
  }
}

/** Rows of both halves, side by side; where they are not as many, nobody knows which answer is whose. */
function predictionsOf({ id, at, request, response }: WatchEventRecord): WatchedPrediction[] {
  const answers = request && response && response.rows.length !== request.rows.length ? null : response;
  const count = request?.rows.length ?? answers?.rows.length ?? 0;
  const shared = {
    time: request?.time ?? response?.time ?? at,
    latencyMs: response?.latencyMs ?? null,
    entity: request?.entity ?? null,
    request: id,
  };
  return Array.from({ length: count }, (_, row) => {
    return { ...shared, inputs: request?.rows[row] ?? null, output: answers?.rows[row] ?? null };
  });
}

function toWatch(record: WatchRecord, waiting: number): Watch {
  const { model, release, digest, spec, createdAt, createdBy, predictions, lastAt, refused, lastRefusal, drift } =
    record;
  return {
    ...{ model, version: release, digest, createdBy, predictions, waiting, refused, lastRefusal, drift },
    fields: spec.fields.map(({ name }) => name),
    since: new Date(createdAt).toISOString(),
    lastAt: lastAt === null ? null : new Date(lastAt).toISOString(),
  };
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, n) => sum + n, 0);
}

function notWatched(model: string): VedetteError {
  return new VedetteError("not_found", `${model} is not watched here: vedette watch add --name ${model}`);
}
