import type { Manifest } from "@vedette/protocol/bundle";
import { driftWindow } from "@vedette/protocol/drift";
import { expect, test } from "vitest";
import {
  createManualClock,
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  settle,
} from "../../sim/memory-ports.ts";
import type { ModelAnswer } from "../serve/decode-outputs.ts";
import { rainManifest } from "../serve/test/rig.ts";
import { openDriftOutbox } from "./drift-outbox.ts";
import { createDriftWatch } from "./drift-watch.ts";
import { scriptedReference } from "./test/scripted-reference.ts";

const digest = "cd".repeat(32);
const dry: ModelAnswer = { label: "dry", value: null, confidence: 0.75, scores: [0.75, 0.25], outputs: null };
const policy = { file: "model.onnx", alpha: 0.01, windowRows: 50, windowSeconds: 600 };

/** A watch on a disk that outlives it; `change` of the drift policy. */
async function rig(
  given: {
    disk?: ReturnType<typeof createMemoryDisk>;
    change?: Partial<Manifest["drift"]>;
    names?: readonly string[];
    hash?: string;
    finished?: () => void;
    apartMs?: number;
    offset?: () => number | null;
  } = {},
) {
  const disk = given.disk ?? createMemoryDisk();
  const clock = createManualClock();
  const log = createMemoryLogger();
  const sent: unknown[] = [];
  const outbox = await openDriftOutbox({
    ports: { clock, log, random: createSeededRandom(1), storage: disk.start() },
    publish: async (message) => void sent.push(driftWindow.parse(JSON.parse(message))),
  });
  outbox.connected();
  const script = scriptedReference(given.names ?? ["temp", "wind"], given.hash);
  const ticks: (() => void)[] = [];
  const lost: unknown[] = [];
  const watch = createDriftWatch({
    reference: script.reference,
    manifest: rainManifest({ drift: { ...policy, ...given.change } }),
    keep: outbox.of("rain-gauge", digest, 2),
    clock,
    schedule: (call) => void ticks.push(call),
    lost: (why) => void lost.push(why),
    apartMs: given.apartMs ?? 0,
    ...(given.finished && { finished: given.finished }),
    ...(given.offset && { offset: given.offset }),
  });
  /** So many rows, all answered, and the end of their tick. */
  const see = async (n: number) => {
    watch.observe(
      new Float32Array(2 * n),
      Array.from({ length: n }, () => dry),
      0,
    );
    for (const call of ticks.splice(0)) call();
    await settle();
  };
  return { ...script, disk, clock, outbox, sent, ticks, lost, watch, see };
}

test("[Y3] rows are copied at once, counted when the tick is over, and with what was answered to them", async () => {
  const { watch, seen, ticks } = await rig({ names: ["temp", "wind", "out:score:rain"] });
  const rows = new Float32Array([1, 2, 3, 4]);
  const answers = [null, dry, { ...dry, scores: [0.5, 0.5] }];
  watch.observe(rows, answers, 1);
  watch.observe(new Float64Array([5, 6]), answers, 0);
  rows.fill(9);
  expect([seen, ticks.length]).toEqual([[], 1]);
  ticks[0]?.();
  // The row that the model did not answer is no row.
  expect(seen).toEqual([
    [2, 1, 0.25],
    [4, 3, 0.5],
  ]);
});

test("[Y3] more rows than the buffer holds lose none", async () => {
  const { seen, see } = await rig();
  await see(20_000);
  expect(seen.length).toBe(20_000);
});

test("[Y7] a window ends after its rows, or its seconds after the first; the last one is reported", async () => {
  let finished = 0;
  const { watch, see, clock } = await rig({ finished: () => finished++ });
  await see(10);
  expect([watch.report()[0]?.n, watch.windows]).toEqual([10, 0]);
  await see(95);
  expect([watch.report()[0]?.n, watch.windows, finished]).toEqual([50, 2, 1]);
  await clock.advance(600_000);
  expect([watch.report()[0]?.n, watch.windows, watch.verdict]).toEqual([5, 3, "insufficient"]);
  // Nothing came since: no window of nothing.
  await clock.advance(6_000_000);
  // What waits is the outbox, for its answer.
  expect([watch.windows, clock.waiting]).toEqual([3, 1]);
});

test("[Z44] a window begins no later than the predictions that it counts, however late these are counted", async () => {
  const { watch, see, clock, ticks, sent, outbox } = await rig();
  const answeredAt = clock.now();
  await clock.advance(700);
  const answers = Array.from({ length: 50 }, () => dry);
  watch.observe(new Float32Array(100), answers, 0, answeredAt);
  await clock.advance(700);
  for (const call of ticks.splice(0)) call();
  await settle();
  // The next window is of what comes then.
  const { digest: of, window } = driftWindow.parse(sent[0]);
  outbox.acked({ digest: of, epoch: window.epoch, n: window.n });
  await clock.advance(60_000);
  await see(50);
  await clock.advance(60_000);
  expect(window.from).toBe(answeredAt);
  expect(driftWindow.parse(sent.at(-1)).window).toMatchObject({ n: 1, from: answeredAt + 61_400 });
});

test("[Z44] a window is told by the control plane's clock, as its predictions are", async () => {
  const { see, clock, sent } = await rig({ offset: () => -86_400_000.5 });
  const began = clock.now();
  await see(50);
  const { from, to } = driftWindow.parse(sent[0]).window;
  expect([from, to]).toEqual([began - 86_400_001, began - 86_400_000]);
});

test("[Y7] under load a window goes on for a second, so that judging costs no more", async () => {
  const { watch, see, clock } = await rig({ apartMs: 1_000 });
  await see(50);
  for (let i = 0; i < 9; i++) await see(70);
  expect(watch.windows).toBe(1);
  await clock.advance(1_000);
  expect([watch.windows, watch.report()[0]?.n]).toEqual([2, 630]);
});

test("[Y1] verdicts follow the policy, and critical takes the answers from the model only where it says so", async () => {
  for (const onCritical of ["report", "fallback"] as const) {
    const { watch, see, say } = await rig({ change: { onCritical } });
    await see(50);
    expect(watch.verdict).toBe("none");
    Object.assign(say, { alarm: true, effect: 0.1 });
    await see(50);
    expect([watch.verdict, watch.top, watch.untrusted]).toEqual(["drift", "temp", false]);
    say.effect = 0.4;
    await see(50);
    expect([watch.verdict, watch.untrusted]).toEqual(["critical", onCritical === "fallback"]);
    Object.assign(say, { alarm: false, effect: 0 });
    await see(50);
    expect(watch.verdict).toBe("none");
  }
});

test("[Y5] windows go up with all their rows, merged where they come faster than parcels may go", async () => {
  const { see, sent, clock, outbox } = await rig();
  await see(50);
  expect(sent).toMatchObject([{ model: "rain-gauge", digest, abi: 2, verdict: "none", window: { n: 0, rows: 50 } }]);
  await see(175);
  expect(sent).toHaveLength(1);
  const [first] = sent as { window: { epoch: string } }[];
  outbox.acked({ digest, epoch: first?.window.epoch ?? "", n: 0 });
  await clock.advance(30_000);
  expect(sent).toHaveLength(2);
  expect(sent[1]).toMatchObject({ window: { n: 1, rows: 150 } });
});

test("[Y5] without a network parcels are merged, and none of their rows is lost", async () => {
  const { see, sent, clock, outbox } = await rig();
  outbox.disconnected();
  for (let i = 0; i < 40; i++) {
    await see(50);
    await clock.advance(31_000);
  }
  outbox.connected();
  const rows = new Map<number, number>();
  for (let i = 0; i < sent.length && i < 100; i++) {
    const { window } = sent[i] as { window: { epoch: string; n: number; rows: number } };
    rows.set(window.n, window.rows);
    outbox.acked({ digest, epoch: window.epoch, n: window.n });
    await clock.advance(20_000);
  }
  // Sixteen that waited, and one of all that came when no more might wait.
  expect([...rows.values()]).toEqual([...new Array(16).fill(50), 1200]);
});

test("[Y6] a restart goes on where the state was written, with verdict, window and what waits to go up", async () => {
  const first = await rig({ change: { onCritical: "fallback" } });
  Object.assign(first.say, { alarm: true, effect: 0.5 });
  await first.see(120);
  first.watch.close(false);
  await first.outbox.close();
  expect([first.held(), first.clock.waiting]).toEqual([0, 0]);
  const second = await rig({ disk: first.disk, change: { onCritical: "fallback" } });
  expect([second.watch.verdict, second.watch.untrusted, second.watch.windows]).toEqual(["critical", true, 2]);
  expect(second.lost).toEqual([]);
  await second.see(30);
  expect(second.watch.windows).toBe(3);
  // The first parcel was never answered.
  const { epoch, ...parcel } =
    (second.sent as { window: { epoch: string; n: number; rows: number } }[])[0]?.window ?? {};
  expect(parcel).toMatchObject({ n: 0, rows: 50 });
  second.outbox.acked({ digest, epoch: epoch ?? "", n: 0 });
  await second.clock.advance(31_000);
  // The second has a window of each process.
  expect(second.sent.at(-1)).toMatchObject({ window: { epoch, n: 1, rows: 100 } });
});

test("[Y6] a killed process loses no more than a minute's rows, and sends none twice", async () => {
  const first = await rig();
  await first.see(20);
  await first.clock.advance(60_000);
  await first.see(20);
  first.disk.kill();
  const second = await rig({ disk: first.disk });
  expect(second.watch.report()[0]?.n).toBe(20);
  await second.see(30);
  expect([first.sent, second.sent]).toMatchObject([[], [{ window: { n: 0, rows: 50 } }]]);
});

test("[Y6] a state of another reference is begun anew, and told", async () => {
  const first = await rig();
  await first.see(70);
  first.watch.close(false);
  await first.outbox.close();
  const second = await rig({ disk: first.disk, hash: "h2" });
  expect([second.lost.length, second.watch.windows, second.watch.verdict]).toEqual([1, 0, "insufficient"]);
});

test("after its end a watch counts nothing; one whose version is over sends what it has", async () => {
  const { watch, see, held, seen, sent } = await rig();
  await see(60);
  watch.close(true);
  watch.close(true);
  await see(1);
  expect([held(), seen.length, watch.report()]).toEqual([0, 60, []]);
  expect((sent as { window: { rows: number } }[]).map(({ window }) => window.rows)).toEqual([50]);
});

test("who hears of a full window may ask for its report at once", async () => {
  const heard: number[] = [];
  const made: { watch?: { report(): readonly { n: number }[] } } = {};
  const { watch, see } = await rig({ finished: () => heard.push(made.watch?.report()[0]?.n ?? -1) });
  made.watch = watch;
  await see(101);
  expect([heard, watch.windows]).toEqual([[50], 2]);
});
