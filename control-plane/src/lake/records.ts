/** The records' own care, as the other rooms see it: what the two storage threads do, joined into answers. */
import { join } from "node:path";
import { maxQueryRows } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { parsePredictionId } from "@vedette/protocol/ids";
import type { Erasure } from "@vedette/protocol/records-api";
import { z } from "zod";
import type { ErasureState } from "../monitoring/erasure-list.ts";
import type { InboxCalls } from "../monitoring/inbox-worker.ts";
import type { Thread } from "../monitoring/worker-thread.ts";
import type { Clock, RecordRow, Records } from "../ports.ts";
import { quoteText } from "../sql-text.ts";
import { exportRecords, type ReadFiles } from "./export-records.ts";
import type { LakeCalls } from "./lake-worker.ts";
import { type Query, type Rows, withPredictions } from "./query.ts";
import { toRecord } from "./record-row.ts";
import { verifyPrediction } from "./verify-prediction.ts";

const memory = "512MB";
const countAll = `SELECT model, version, digest, source, reason, coalesce(erased, false), count(*)
                  FROM predictions GROUP BY ALL ORDER BY ALL`;
const countRow = z.tuple([
  z.string(),
  z.int().nullable(),
  z.string().nullable(),
  z.string(),
  z.string().nullable(),
  z.boolean(),
  z.int(),
]);

type Account = Awaited<ReturnType<Records["counts"]>>[number];

export function createRecords(parts: {
  inbox: Thread<InboxCalls>;
  files: Thread<LakeCalls>;
  clock: Clock;
  /** The lake's own folder: exports are drafted beside its files. */
  folder: string;
  flush(): Promise<number>;
  ask(query: Query): Promise<Rows>;
  read: ReadFiles;
}): Records {
  const { inbox, files, clock, flush, ask, read } = parts;
  const drafts = join(parts.folder, "exports");

  const erasures = async () => (await inbox.call("erasures", undefined as never)).map((one) => told(one, clock.now()));
  const originals: Records["originals"] = async () => {
    const byModel = Map.groupBy(await files.call("columns", undefined as never), ({ model }) => model);
    return new Map(
      [...byModel].map(([model, names]) => [model, new Map(names.map(({ name, original }) => [name, original]))]),
    );
  };

  const records: Records = {
    async counts() {
      const { rows } = await ask({ sql: countAll, limit: maxQueryRows });
      const removed = await files.call("removed", undefined as never);
      const { missing, expected } = await inbox.call("account", undefined as never);
      const models = new Map<string, Account>();
      const of = (model: string): Account => {
        const account = models.get(model) ?? { model, numbered: 0, answered: [], missing: [], expected: 0 };
        models.set(model, account);
        return account;
      };
      const answer = (model: string, one: Account["answered"][number]) => {
        const { answered } = of(model);
        const same = answered.find(
          (other) =>
            other.digest === one.digest &&
            other.version === one.version &&
            other.source === one.source &&
            other.reason === one.reason,
        );
        if (!same) answered.push(one);
        else for (const name of ["rows", "erased", "removed"] as const) same[name] += one[name];
        of(model).numbered += one.rows;
      };
      for (const [model, version, digest, source, reason, erased, count] of z.array(countRow).parse(rows)) {
        answer(model, { version, digest, source, reason, rows: count, erased: erased ? count : 0, removed: 0 });
      }
      for (const { model, digest, release, source, reason, erased, rows } of removed) {
        const version = {
          version: release < 0 ? null : release,
          digest: digest || null,
          source,
          reason: reason || null,
        };
        answer(model, { ...version, rows, erased: erased ? rows : 0, removed: rows });
      }
      for (const { model, release, reason, rows } of missing) {
        of(model).missing.push({ version: release, reason, rows });
        of(model).numbered += rows;
      }
      for (const { model, rows } of expected) {
        of(model).expected += rows;
        of(model).numbered += rows;
      }
      return [...models.values()].sort((a, b) => (a.model < b.model ? -1 : 1));
    },
    policies: () => files.call("policies", undefined as never),
    async setPolicy(model, days) {
      await files.call("setPolicy", { model, days });
      await flush();
    },
    async erase({ entity, model, expires, agents }) {
      const request = { entity, model, before: clock.now(), expires, agents };
      const { name } = await files.call("requestErasure", request);
      // What is acknowledged is in the inbox; it is moved without, and all files are gone through.
      await flush();
      const made = (await erasures()).find(({ id }) => id === name);
      if (!made) throw new VedetteError("internal", `erasure ${name} was written and is not there`);
      return made;
    },
    erasures,
    commandsFor: (agent) => inbox.call("pendingErasures", { agent, now: clock.now() }),
    async commandDone(agent, { id, rows, why }) {
      await inbox.call("erasureFinished", { agent, name: id, rows, why, at: clock.now() });
    },
    async export(request, site) {
      await flush();
      return exportRecords(request, { site, originals: await originals(), read, drafts, memory });
    },
    originals,
    async verify({ id, values }, enrolled) {
      const parts = parsePredictionId(id);
      if (!parts)
        throw new VedetteError("invalid_argument", `${id} is no prediction id: it is device.model.epoch.number`);
      await flush();
      const { agent, stream, epoch, n } = parts;
      const proof = await files.call("proof", parts);
      const { firstN, nextN } = proof ?? { firstN: n, nextN: n + 1 };
      const sql = `SELECT *, epoch_us(time) AS time_us, epoch_us(event_time) AS event_time_us FROM predictions
        WHERE agent = ${quoteText(agent)} AND model = ${quoteText(stream)} AND epoch = ${quoteText(epoch)}
          AND n >= ${firstN} AND n < ${nextN} ORDER BY n`;
      const rows = await select(sql, { model: stream });
      const row = rows.find((one) => one.n === n) ?? null;
      if (!proof && !row) throw new VedetteError("not_found", `there is no prediction ${id}: has its device sent it?`);
      const answer = { id, row };
      if (!proof) return { ...answer, proven: false, why: "its batch came without receipts", inputs: null };
      const names = new Map([...((await originals()).get(stream) ?? [])].map(([name, original]) => [original, name]));
      const columnOf = (name: string) => names.get(name);
      return {
        ...answer,
        ...verifyPrediction({ id: parts, proof, rows, columnOf, enrolled: await enrolled(agent), given: values }),
      };
    },
    async sinks() {
      const all = await files.call("sinks", undefined as never);
      return all.map(({ name, url, model, delivered, failures, lastError, lastDelivery }) => {
        return {
          name,
          url,
          model,
          delivered,
          failures,
          lastError,
          lastDelivery: lastDelivery === null ? null : iso(lastDelivery),
        };
      });
    },
    addSink: (sink) => files.call("addSink", { ...sink, at: clock.now() }),
    removeSink: (name) => files.call("removeSink", { name }),
    async dueSinks() {
      const all = await files.call("sinks", undefined as never);
      return all
        .filter(({ retryAt }) => retryAt <= clock.now())
        .map((sink) => ({ ...sink, lastDelivery: sink.lastDelivery === null ? null : iso(sink.lastDelivery) }));
    },
    async rowsAfter({ batch, n }, model, limit) {
      const where = model === null ? "" : `AND model = ${quoteText(model)}`;
      const after = `(batch > ${Math.trunc(batch)} OR (batch = ${Math.trunc(batch)} AND n > ${Math.trunc(n)}))`;
      const sql = `SELECT * FROM predictions WHERE ${after} ${where} ORDER BY batch, n LIMIT ${Math.trunc(limit)}`;
      return select(sql, { model: model ?? undefined, fromBatch: batch });
    },
    async delivered(name, cursor, rows) {
      await files.call("delivered", { name, cursor, rows, at: clock.now() });
    },
    async deliveryFailed(name, why, retryInMs) {
      await files.call("failed", { name, why, retryAt: clock.now() + retryInMs });
    },
    snapshot: (to) => files.call("snapshot", { to }),
  };
  return records;

  /** All rows of a statement of ours. */
  function select(sql: string, wanted: { model?: string | undefined; fromBatch?: number }): Promise<RecordRow[]> {
    return read(wanted, (paths) => {
      if (paths.length === 0) return Promise.resolve([]);
      return withPredictions(paths, memory, async (connection) => {
        const reader = await connection.runAndReadAll(sql);
        const columns = reader.deduplicatedColumnNames();
        return reader.getRows().map((row) => toRecord(columns, row));
      });
    });
  }
}

function told({ name, model, before, expires, done, rows, lateRows, devices }: ErasureState, now: number): Erasure {
  return {
    id: name,
    model,
    requestedAt: iso(before),
    expiresAt: iso(expires),
    doneAt: done === null ? null : iso(done),
    rows,
    lateRows,
    devices: devices.map((device) => ({
      agent: device.agent,
      state:
        device.finished === null ? (expires <= now ? "expired" : "pending") : device.why === null ? "done" : "failed",
      rows: device.rows,
      why: device.why,
    })),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
