import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { epoch, makeFrame, testFolder, testKeys } from "../../test/batches.ts";
import { manualClock, silentLogger } from "../../test/clock.ts";
import type { InboxCalls } from "./inbox-worker.ts";
import { createIngestion } from "./ingestion.ts";
import { startThread } from "./worker-thread.ts";

function testIngestion(queueBytes?: number) {
  const path = join(testFolder(), "inbox.sqlite");
  const thread = startThread<InboxCalls>(new URL("./inbox-worker.ts", import.meta.url), { path });
  onTestFinished(() => thread.close());
  const ingestion = createIngestion({
    thread,
    clock: manualClock(),
    logger: silentLogger,
    deviceKeys: testKeys,
    ...(queueBytes ? { queueBytes } : {}),
  });
  const stored = () => {
    const db = new Database(path, { readonly: true });
    const row = db.prepare("SELECT count(*) AS n FROM batches").get() as { n: number };
    db.close();
    return row.n;
  };
  return { thread, ingestion, stored };
}

test("what is acknowledged is in the file, and repeats are not stored again", async () => {
  const { ingestion, stored } = testIngestion();
  const acks = await Promise.all(
    Array.from({ length: 40 }, (_, i) => ingestion.take("dev", "rain", makeFrame({ seq: i % 20 }))),
  );
  expect(acks.at(-1)).toEqual({ epoch, upTo: 19, also: [] });
  expect(stored()).toBe(20);
  expect(await ingestion.stored("dev", [{ stream: "rain", epoch }])).toEqual([{ stream: "rain", epoch, upTo: 19 }]);
});

test("[N1] the thread killed again and again loses nothing acknowledged and doubles nothing", async () => {
  const { thread, ingestion, stored } = testIngestion();
  let acknowledged = 0;
  let killing = true;
  const killer = (async () => {
    for (let i = 0; i < 6; i++) {
      await new Promise((resolve) => setTimeout(resolve, 40 + 30 * i));
      await thread.kill();
    }
    killing = false;
  })();
  for (let seq = 0; killing || seq < 200; seq++) {
    const frame = makeFrame({ seq });
    // As a device does: the same bytes again until they are acknowledged.
    for (let done = false; !done; ) {
      const ack = await ingestion.take("dev", "rain", frame).catch(() => undefined);
      done = ack !== undefined && "upTo" in ack && ack.upTo === seq;
    }
    acknowledged++;
    if (acknowledged % 50 === 0) expect(stored()).toBe(acknowledged);
  }
  await killer;
  expect(stored()).toBe(acknowledged);
});

test("what has no header is an error; what waits too long in memory is a pause", async () => {
  const { ingestion } = testIngestion(1000);
  await expect(ingestion.take("dev", "rain", new Uint8Array(20))).rejects.toMatchObject({ code: "invalid_batch" });
  expect(await ingestion.take("dev", "rain", new Uint8Array(2000))).toEqual({ pause: 5000 });
});
