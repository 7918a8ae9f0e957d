import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DriftWindowMessage } from "@vedette/protocol/drift";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { expect, onTestFinished, test } from "vitest";
import { manualClock, silentLogger } from "../../../test/clock.ts";
import { storeVersion } from "../../../test/store-version.ts";
import { openDatabase } from "../../db/database.ts";
import { createDriftIntake } from "./take-window.ts";
import type { WatchedVersions } from "./watched-versions.ts";

const epoch = "0123456789abcdef";

/** A database with one version, whose reference is of two features. */
async function site() {
  const kernels = await loadKernelsNode();
  const db = await openDatabase(join(await mkdtemp(join(tmpdir(), "vedette-intake-")), "plane.db"));
  onTestFinished(() => db.close());
  const rows = Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i * 12.9898) * 3);
  const reference = kernels.openReference(kernels.buildReference(["a", "b"], rows));
  const { model, digest } = await storeVersion(db);
  const policy = { alpha: 0.01, windowRows: 50, windowSeconds: 60, arl: 1e6, deadZone: 0.05, notice: 0.01 };
  const versions: WatchedVersions = {
    find: async () => ({
      ...{ model, version: 1, digest, abi: kernels.abi, reference },
      policy: { ...policy, drift: 0, critical: 0.3, onCritical: "report" },
    }),
  };
  const intake = createDriftIntake({ db, versions, clock: manualClock(), logger: silentLogger });
  const state = reference.newState();
  state.observe(rows.subarray(0, 100));
  const window = { epoch, n: 0, from: 1, to: 2, rows: 50 };
  const snapshot = Buffer.from(state.snapshot()).toString("base64");
  const told = { verdict: "none", top: null, logE: -0.5 } as const;
  const message: DriftWindowMessage = { model, digest, abi: kernels.abi, window, snapshot, ...told };
  return { db, intake, message, digest, kernels };
}

test("[Y9] a window is stored once, however often it comes, and acknowledged each time", async () => {
  const { db, intake, message, digest } = await site();
  for (let i = 0; i < 3; i++) expect(await intake.take("d1", message)).toEqual({ digest, epoch, n: 0 });
  await intake.take("d2", message);
  await intake.take("d1", { ...message, window: { ...message.window, n: 1 } });
  const kept = await db.drift.pending(digest);
  expect(kept.map(({ agent, n, rows }) => [agent, n, rows])).toEqual([
    ["d1", 0, 50],
    ["d2", 0, 50],
    ["d1", 1, 50],
  ]);
  expect(Buffer.from(kept[0]?.snapshot ?? []).toString("base64")).toBe(message.snapshot);
});

test("[Y9] what was removed for its age does not come again", async () => {
  const { db, intake, message, digest } = await site();
  await intake.take("d1", message);
  const round = {
    digest,
    round: 1,
    at: 1,
    devices: 1,
    rows: 50,
    capped: 0,
    logE: 0,
    verdict: "none",
    top: null,
  } as const;
  await db.drift.commit({
    round: { ...round, snapshot: Buffer.alloc(1) },
    windows: (await db.drift.pending(digest)).map(({ id }) => id),
    banks: [],
    opened: [],
    raised: [],
    closed: [],
  });
  expect(await db.drift.prune({ at: 1, before: 0, windows: 1, rounds: 1 })).toBe(0);
  expect(await db.drift.prune({ at: 1, before: 0, windows: 0, rounds: 0 })).toBe(1);
  await intake.take("d1", message);
  expect(await db.drift.pending(digest)).toEqual([]);
  await intake.take("d1", { ...message, window: { ...message.window, n: 1 } });
  expect(await db.drift.pending(digest)).toHaveLength(1);
});

test("[A20] of what keeps removed windows from coming again, the latest of a device are kept", async () => {
  const { db, intake, message, digest } = await site();
  const send = (i: number) =>
    intake.take("d1", { ...message, window: { ...message.window, epoch: `${i}`.padStart(16, "0") } });
  for (let i = 0; i < 6; i++) {
    await send(i);
    await db.drift.commit({
      round: {
        ...{ digest, round: i + 1, at: 1, devices: 1, rows: 50, capped: 0, logE: 0, verdict: "none", top: null },
        snapshot: Buffer.alloc(1),
      },
      windows: (await db.drift.pending(digest)).map(({ id }) => id),
      ...{ banks: [], opened: [], raised: [], closed: [] },
    });
    expect(await db.drift.prune({ at: i, before: 0, windows: 0, rounds: 100 })).toBe(1);
  }
  const taken = [];
  for (let i = 0; i < 6; i++) {
    const before = (await db.drift.pending(digest)).length;
    await send(i);
    if ((await db.drift.pending(digest)).length > before) taken.push(i);
  }
  // A device that sends those of its first two states again after four more is one whose disk was restored.
  expect(taken).toEqual([0, 1]);
});

test("a device that sends more than is merged is asked to wait", async () => {
  const { intake, message } = await site();
  const send = (n: number) => intake.take("d1", { ...message, window: { ...message.window, n } });
  for (let n = 0; n < 64; n++) await send(n);
  await expect(send(64)).rejects.toMatchObject({ code: "busy" });
  expect(await intake.take("d2", message)).not.toHaveProperty("refused");
});

test("[Y9] what does not fit its version is refused for good, and says why", async () => {
  const { db, intake, message, digest, kernels } = await site();
  const refused = async (change: Partial<DriftWindowMessage>) =>
    (await intake.take("d1", { ...message, ...change })).refused;
  expect(await refused({ model: "other" })).toContain("and not of other");
  expect(await refused({ abi: 99 })).toContain("kernel abi 99");
  expect(await refused({ window: { ...message.window, rows: 51 } })).toContain("holds 50 rows");
  expect(await refused({ snapshot: "AAAA" })).toBeDefined();
  const other = kernels.openReference(kernels.buildReference(["c"], new Float32Array(500))).newState();
  other.observe(new Float32Array(50));
  expect(await refused({ snapshot: Buffer.from(other.snapshot()).toString("base64") })).toBeDefined();
  expect(await db.drift.pending(digest)).toEqual([]);
});

test("[Y9] counts beyond the rows that a window says are refused: no device weighs more than its rows", async () => {
  const { db, intake, message, digest } = await site();
  const honest = Buffer.from(message.snapshot, "base64");
  // After 32 bytes and the missing values of the first feature: eight counts at their limit, which may have lost rows.
  const at = 33;
  const eight = Buffer.concat([Buffer.of(32), Buffer.alloc(32, 0xff)]);
  const forged = Buffer.concat([honest.subarray(0, at), eight, honest.subarray(at + 1 + (honest[at] ?? 0))]);
  const { refused } = await intake.take("d1", { ...message, snapshot: forged.toString("base64") });
  expect(refused).toContain("more values than its 50 rows");
  expect(await db.drift.pending(digest)).toEqual([]);
});
