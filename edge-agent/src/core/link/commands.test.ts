/** Commands over a real disk in memory and real signatures: done once, for this device, by this site's director. */
import { createHash, sign } from "node:crypto";
import type { CommandOutcome } from "@vedette/protocol/commands";
import { entityClaim, type Tombstone } from "@vedette/protocol/erasure";
import { signedBytes } from "@vedette/protocol/signed";
import { expect, test } from "vitest";
import { createManualClock, createMemoryDisk, createMemoryLogger } from "../../sim/memory-ports.ts";
import { letGo } from "../log/let-go.ts";
import { newKey, testCrypto } from "../test/fake-peer.ts";
import { createCommands } from "./commands.ts";

const director = newKey();
const now = Date.UTC(2026, 0, 1);
const salt = "5a".repeat(32);
const hash = createHash("sha256").update(entityClaim(salt, "station-1")).digest("hex");
const id = "00112233445566aa";
const command = { id, kind: "erase", agent: "dev", expires: now + 1000, model: null, salt, hash, before: now };

function signed(over: object = {}, key = director) {
  const payload = JSON.stringify({ ...command, ...over });
  const sig = sign(null, signedBytes("command", payload), key.key).toString("hex");
  return { payload, signatures: [{ keyid: director.id, sig }] };
}

function device() {
  const disk = createMemoryDisk();
  const erased: Tombstone[] = [];
  const answers: CommandOutcome[] = [];
  let fail = false;
  const start = () => {
    const log = createMemoryLogger();
    const state = { director: { keys: { [director.id]: director.publicHex }, threshold: 1 }, referenceTime: () => now };
    const commands = createCommands({
      agent: "dev",
      state,
      ports: { crypto: testCrypto, storage: disk.start(), log },
      async erase(tombstone) {
        erased.push(tombstone);
        return 4;
      },
      async answer(outcome) {
        if (fail) throw new Error("offline");
        answers.push(outcome);
      },
    });
    return commands;
  };
  const offline = (yes: boolean) => {
    fail = yes;
  };
  return { disk, start, erased, answers, offline };
}

test("[E3] a command is done once, over repeats and restarts, and answered each time", async () => {
  const { disk, start, erased, answers, offline } = device();
  const first = start();
  offline(true);
  await first.take(signed());
  expect(answers).toEqual([]);
  offline(false);
  await Promise.all([first.take(signed()), first.take(signed())]);
  disk.kill();
  await start().take(signed());
  expect(erased).toEqual([{ model: null, salt, hash, before: now }]);
  expect(answers.length).toBeGreaterThanOrEqual(2);
  expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
    new Set([JSON.stringify({ id, rows: 4, why: null })]),
  );
});

test("[E4] another's signature, another device's command and one that has expired are not done", async () => {
  const { start, erased, answers } = device();
  const commands = start();
  await commands.take(signed({}, newKey()));
  await commands.take({ ...signed(), signatures: [] });
  await commands.take(signed({ agent: "other" }));
  await commands.take(signed({ expires: now }));
  const changed = signed();
  await commands.take({ ...changed, payload: changed.payload.replace(hash, "0".repeat(64)) });
  expect({ erased, answers }).toEqual({ erased: [], answers: [] });
  await commands.take(signed({ kind: "dance" }));
  expect(answers).toMatchObject([{ id, rows: 0, why: expect.stringContaining("update it") }]);
});

test("a device has let go when all that waited is gone, and what was set aside with it", async () => {
  const clock = createManualClock(now);
  const storage = createMemoryDisk().start();
  await storage.write("spool/rain/rejected/batch-1", new Uint8Array(3));
  const waiting = new Map([1, 2].map((seq) => [`e-${seq}`, { key: `e-${seq}` }]));
  let cut = 0;
  const batches = { waiting: { [Symbol.iterator]: () => waiting.values() }, get: (key: string) => waiting.get(key) };
  let over = false;
  const log = { batches, cut: async () => void cut++ } as unknown as Parameters<typeof letGo>[0];
  const going = letGo(log, "spool/rain", { clock, storage }).then(() => {
    over = true;
  });
  await clock.advance(10_000);
  waiting.delete("e-1");
  waiting.set("e-3", { key: "e-3" });
  await clock.advance(10_000);
  expect(over).toBe(false);
  waiting.delete("e-2");
  await clock.advance(10_000);
  await going;
  expect({ cut, left: await storage.list("spool/rain/rejected") }).toEqual({ cut: 1, left: [] });
});
