import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import {
  createManualClock,
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  settle,
} from "../../sim/memory-ports.ts";
import { type DriftOutbox, openDriftOutbox, type Parcel, type WatchState } from "./drift-outbox.ts";
import { unjudged } from "./standing.ts";

const digest = "ab".repeat(32);
const epoch = "0123456789abcdef";
const path = `drift/${digest}.json`;
const parcel = (n: number): Parcel => ({
  window: { epoch, n, from: 1, to: 2, rows: 5 },
  snapshot: "AAAA",
  verdict: "none",
  top: null,
  logE: null,
});
const state = (n: number): WatchState => ({
  hash: "h",
  epoch,
  n,
  windows: n,
  seen: 0,
  opened: 0,
  span: null,
  loudest: null,
  standing: unjudged,
  state: Uint8Array.of(n),
  parcel: null,
});

async function rig(disk = createMemoryDisk()) {
  const clock = createManualClock();
  const log = createMemoryLogger();
  const sent: number[] = [];
  const abis: number[] = [];
  let offline = false;
  const storage = disk.start();
  const open = () =>
    openDriftOutbox({
      ports: { clock, log, random: createSeededRandom(3), storage },
      async publish(message) {
        if (offline) throw new VedetteError("offline", "no connection");
        const { window, abi } = JSON.parse(message);
        sent.push(window.n);
        abis.push(abi);
      },
    });
  const outbox = await open();
  return { disk, clock, log, sent, abis, storage, outbox, lose: () => (offline = true) };
}
const put = (outbox: DriftOutbox, n: number) => outbox.of("rain", digest, 2).put(state(n + 1), parcel(n));
const ack = (n: number) => ({ digest, epoch, n });

test("[Y5] a parcel is sent once it is written down, one at a time, again without an answer, and until it is answered", async () => {
  const { outbox, sent, clock, storage } = await rig();
  outbox.connected();
  put(outbox, 0);
  put(outbox, 1);
  expect(sent).toEqual([]);
  await settle();
  expect(sent[0]).toBe(0);
  expect(JSON.parse(fromUtf8((await storage.read(path)) as Uint8Array)).waiting).toHaveLength(2);
  sent.length = 0;
  await clock.advance(30_000);
  expect(sent).toEqual([0]);
  outbox.acked(ack(0));
  outbox.acked(ack(0));
  expect(sent).toEqual([0, 1]);
  outbox.acked({ ...ack(1), refused: "no such version" });
  await clock.advance(120_000);
  expect([sent, clock.waiting]).toEqual([[0, 1], 0]);
});

test("[Y5] what was not answered is sent by the next process; a state and what was cut from it are never apart", async () => {
  const first = await rig();
  put(first.outbox, 0);
  await settle();
  const { outbox, sent } = await rig(first.disk);
  expect(outbox.of("rain", digest, 2)).toMatchObject({ waiting: 1, saved: { n: 1, state: Uint8Array.of(1) } });
  outbox.connected();
  expect(sent).toEqual([0]);
  // Other kernels cannot read it: a new state begins, and the parcel is still the control plane's to judge.
  expect(outbox.of("rain", digest, 3)).toMatchObject({ waiting: 1, saved: null });
});

test("[Y5] a new agent's kernels sign for what they made themselves, and for nothing before", async () => {
  const first = await rig();
  put(first.outbox, 0);
  await settle();
  const second = await rig(first.disk);
  second.outbox
    .of("rain", digest, 3)
    .put(state(1), { ...parcel(0), window: { ...parcel(0).window, epoch: "f".repeat(16) } });
  await settle();
  const { outbox, sent, abis } = await rig(first.disk);
  expect(outbox.of("rain", digest, 3)).toMatchObject({ waiting: 2, saved: { n: 1 } });
  outbox.connected();
  outbox.acked(ack(0));
  expect([sent, abis]).toEqual([
    [0, 0],
    [2, 3],
  ]);
});

test("[Y5] on a disk that takes nothing no parcel is sent, and it is once the disk does again", async () => {
  const { disk, outbox, sent, log } = await rig();
  outbox.connected();
  disk.full = true;
  put(outbox, 0);
  await settle();
  expect([sent, log.entries.some(({ event }) => event === "drift.not_kept")]).toEqual([[], true]);
  disk.full = false;
  outbox.of("rain", digest, 2).put(state(1));
  await settle();
  expect(sent).toEqual([0]);
});

test("[Y6] a damaged file is told, and begun anew", async () => {
  const first = await rig();
  await first.storage.write(path, utf8("{"));
  const { outbox, log } = await rig(first.disk);
  expect(outbox.of("rain", digest, 2)).toMatchObject({ waiting: 0, saved: null });
  expect(log.entries).toMatchObject([{ event: "drift.state_unreadable" }]);
});

test("what is not on the device any more is forgotten once nothing of it waits", async () => {
  const { outbox, storage } = await rig();
  put(outbox, 0);
  await settle();
  await outbox.keepOnly(new Set());
  expect(await storage.list("drift")).toHaveLength(1);
  outbox.acked(ack(0));
  await outbox.keepOnly(new Set([digest]));
  expect(await storage.list("drift")).toHaveLength(1);
  await outbox.keepOnly(new Set());
  expect(await storage.list("drift")).toHaveLength(0);
  await outbox.close();
});
