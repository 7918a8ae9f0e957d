import { VedetteError } from "@vedette/protocol/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createManualClock, createMemoryLogger, createSeededRandom, settle } from "../../sim/memory-ports.ts";
import type { BatchQueue, WaitingBatch } from "./batch-queue.ts";
import { createBatchSender } from "./batch-sender.ts";

const epoch = "00".repeat(8);

const batch = (seq: number, through = seq, of = epoch): WaitingBatch => ({
  key: String(seq),
  epoch: of,
  seq,
  through,
  firstN: seq,
  nextN: through + 1,
  bytes: 1,
  rows: through > seq ? null : { cutAt: null, digest: null, release: null },
});
/** The sha256 of a batch's frame, as this test's hash says it. */
const hashOf = (seq: number): string => String(seq).padStart(64, "0");

/** A queue in memory and a broker that keeps what it got. */
function rig() {
  const clock = createManualClock();
  const logger = createMemoryLogger();
  const waiting: WaitingBatch[] = [];
  const added: (() => void)[] = [];
  const sent: number[] = [];
  const dropped: number[] = [];
  const rejected: number[] = [];
  const line = { broken: false, dropFails: false };
  const remove = (key: string): void => {
    const at = waiting.findIndex((batch) => batch.key === key);
    if (at >= 0) waiting.splice(at, 1);
  };
  const batches: BatchQueue = {
    waiting,
    get size() {
      return waiting.length;
    },
    get bytes() {
      return waiting.length;
    },
    get: (key) => waiting.find((batch) => batch.key === key),
    read: async (key) => (waiting.some((batch) => batch.key === key) ? new Uint8Array([Number(key)]) : undefined),
    async drop(keys) {
      await Promise.resolve();
      if (line.dropFails) throw new VedetteError("storage_failed", "the disk is read-only");
      for (const key of keys) {
        dropped.push(Number(key));
        remove(key);
      }
    },
    async reject(key) {
      rejected.push(Number(key));
      remove(key);
    },
    onAdded: (call) => void added.push(call),
  };
  const sender = createBatchSender({
    log: { batches },
    sha256: async (bytes) => String(bytes[0]).padStart(64, "0"),
    publish: async (frame) => {
      if (line.broken) throw new VedetteError("offline", "the connection is lost");
      sent.push(frame[0] ?? -1);
    },
    clock,
    random: createSeededRandom(1),
    logger,
  });
  const add = (...seqs: number[]): void => {
    for (const seq of seqs) waiting.push(batch(seq));
    for (const call of added) call();
  };
  const addAccount = (seq: number, through: number): void => {
    waiting.push(batch(seq, through));
    for (const call of added) call();
  };
  return { clock, logger, sender, add, addAccount, sent, dropped, rejected, line, waiting };
}

test("[P4] at most two are under way, PUBACK moves nothing, an ack makes room", async () => {
  const { sender, add, sent, dropped } = rig();
  add(0, 1, 2, 3);
  await settle();
  expect(sent).toEqual([]);
  sender.connected();
  await settle();
  expect(sent).toEqual([0, 1]);
  sender.acked({ epoch, upTo: 0, also: [] });
  await settle();
  expect([sent, dropped]).toEqual([[0, 1, 2], [0]]);
});

test("acks out of order, doubled, sparse and of another epoch", async () => {
  const { sender, add, dropped, waiting, logger } = rig();
  add(0, 1, 2, 3);
  sender.connected();
  sender.acked({ epoch, upTo: -1, also: [2, 1] });
  sender.acked({ epoch, upTo: -1, also: [2, 1] });
  sender.acked({ epoch: "11".repeat(8), upTo: 3, also: [] });
  await settle();
  expect(dropped).toEqual([1, 2]);
  sender.acked({ epoch, upTo: 2, also: [] });
  sender.acked({ epoch, upTo: 1, also: [] });
  await settle();
  expect(dropped).toEqual([1, 2, 0]);
  expect(waiting.map(({ seq }) => seq)).toEqual([3]);
  expect(logger.entries).toEqual([]);
});

test("without an ack the same batch is sent again after 10 s, doubling to 5 min, with jitter", async () => {
  const { clock, sender, add, sent } = rig();
  add(0);
  sender.connected();
  await settle();
  const gaps: number[] = [];
  for (let last = clock.monotonic(), seen = 1; gaps.length < 8; ) {
    await clock.advance(100);
    if (sent.length > seen) {
      gaps.push(clock.monotonic() - last);
      last = clock.monotonic();
      seen = sent.length;
    }
  }
  for (const [i, gap] of gaps.entries()) {
    const nominal = Math.min(10_000 * 2 ** i, 300_000);
    expect(gap).toBeGreaterThanOrEqual(0.74 * nominal);
    expect(gap).toBeLessThanOrEqual(1.26 * nominal + 100);
  }
  expect(new Set(gaps.map((gap, i) => gap / 2 ** i)).size).toBeGreaterThan(3);
});

test("a reconnect sends again at once; while down nothing is sent; what a hello says is stored is deleted", async () => {
  const { clock, sender, add, sent, line, logger, dropped } = rig();
  add(0, 1, 2);
  line.broken = true;
  sender.connected();
  await settle();
  sender.disconnected();
  await clock.advance(3_600_000);
  expect([sent, clock.waiting]).toEqual([[], 0]);
  line.broken = false;
  sender.connected();
  sender.stored(1, "11".repeat(8));
  sender.stored(0, epoch);
  await settle();
  expect([dropped, sent.includes(2), logger.entries.filter(({ level }) => level !== "info")]).toEqual([[0], true, []]);
});

test("a rejected batch is moved aside and does not stop the others", async () => {
  const { sender, add, sent, rejected } = rig();
  add(0, 1, 2);
  sender.connected();
  sender.acked({ epoch, reject: 0, why: "invalid_batch", frame: hashOf(0) });
  sender.acked({ epoch, reject: 0, why: "invalid_batch", frame: hashOf(0) });
  sender.acked({ epoch, reject: 9, why: "unknown" });
  await settle();
  await settle();
  expect([rejected, sent.includes(2)]).toEqual([[0], true]);
});

test("[P17] a refusal of other bytes, or that names none, moves nothing: it may be of a forged batch", async () => {
  const { sender, add, rejected, logger } = rig();
  add(0, 1);
  sender.connected();
  sender.acked({ epoch, reject: 0, why: "bad_signature", frame: hashOf(7) });
  sender.acked({ epoch, reject: 0, why: "bad_signature" });
  await settle();
  expect(rejected).toEqual([]);
  expect(logger.entries.map(({ event }) => event)).toEqual(["refusal_of_other_bytes", "refusal_of_other_bytes"]);
});

test("an account leaves when all it settles is stored, and not before", async () => {
  const { sender, addAccount, dropped } = rig();
  addAccount(0, 3);
  sender.connected();
  sender.acked({ epoch, upTo: 1, also: [3] });
  await settle();
  expect(dropped).toEqual([]);
  sender.acked({ epoch, upTo: 1, also: [2, 3] });
  await settle();
  expect(dropped).toEqual([0]);
});

test("a pause holds everything, then it goes on", async () => {
  const { clock, sender, add, sent } = rig();
  sender.connected();
  sender.acked({ pause: 60_000 });
  add(0, 1);
  await clock.advance(59_999);
  expect(sent).toEqual([]);
  await clock.advance(1);
  expect(sent).toEqual([0, 1]);
});

test("where deleting fails the batch waits and is sent again, and it is said", async () => {
  const { sender, add, sent, line, logger } = rig();
  add(0);
  sender.connected();
  await settle();
  line.dropFails = true;
  sender.acked({ epoch, upTo: 0, also: [] });
  await settle();
  expect(sent).toEqual([0, 0]);
  expect(logger.entries).toMatchObject([{ level: "error", event: "batch_not_deleted" }]);
});

test("[P4] [property] whatever the line does, everything arrives and nothing leaves that was not stored", async () => {
  const event = fc.oneof(
    fc.constantFrom("add", "up", "down", "break", "mend", "ack", "sparse", "pause"),
    fc.integer({ min: 1, max: 60_000 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      const { clock, sender, add, sent, dropped, line, waiting } = rig();
      const stored = new Set<number>();
      let seq = 0;
      const store = (): void => {
        for (const one of sent) stored.add(one);
      };
      const upTo = (): number => {
        let last = -1;
        while (stored.has(last + 1)) last++;
        return last;
      };
      for (const now of events) {
        if (typeof now === "number") await clock.advance(now);
        else if (now === "add") add(seq++);
        else if (now === "up") sender.connected();
        else if (now === "down") sender.disconnected();
        else if (now === "break" || now === "mend") line.broken = now === "break";
        else if (now === "pause") sender.acked({ pause: 5000 });
        else {
          store();
          sender.acked({ epoch, upTo: upTo(), also: now === "sparse" ? [...stored] : [] });
        }
        await settle();
        for (const gone of dropped) expect(stored.has(gone)).toBe(true);
      }
      line.broken = false;
      sender.connected();
      for (let i = 0; i < 2 * seq + 2; i++) {
        await clock.advance(6000);
        store();
        sender.acked({ epoch, upTo: upTo(), also: [] });
        await settle();
      }
      expect([waiting, stored.size]).toEqual([[], seq]);
    }),
    { numRuns: 100 },
  );
});
