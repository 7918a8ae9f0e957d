import { type Stamp, sealDeviceMessage, willNumber } from "@vedette/protocol/device-message";
import { codeOf } from "@vedette/protocol/errors";
import { topics } from "@vedette/protocol/topics";
import { expect, test } from "vitest";
import { makeKey } from "../../test/operator.ts";
import type { Database } from "../db/database.ts";
import { createDeviceMessages } from "./device-messages.ts";

const names = topics("test");
const key = makeKey();
/** The one thing that is asked of the database, kept over restarts of what is tested. */
function kept() {
  let heard: Stamp | null = null;
  const devices = {
    identity: async (agent: string) => (agent === "dev" ? { publicKey: key.publicKeyHex, heard } : undefined),
    heard: async (_: string, stamp: Stamp) => {
      heard = stamp;
    },
  };
  return { devices } as unknown as Database;
}
const say = (topic: string, sid: number, n: number, by = key) =>
  sealDeviceMessage("dev", topic, { sid, n }, `{"n":${n}}`, async (bytes) => by.sign(bytes));

test("[Q11] a message counts once, and none of an older session counts; also after a restart", async () => {
  const db = kept();
  const first = createDeviceMessages({ db });
  const report = names.reported("dev");
  const asked = await say(names.request("dev"), 5, 0);
  const old = await say(report, 4, 7);
  const one = await say(report, 5, 1);
  expect(await first.open("dev", report, old)).toBe('{"n":7}');
  expect(await first.open("dev", names.request("dev"), asked)).toBe('{"n":0}');
  expect(await first.open("dev", report, one)).toBe('{"n":1}');
  for (const messages of [first, createDeviceMessages({ db })]) {
    const heardBefore: [string, string][] = [
      [report, one],
      [report, old],
      [names.request("dev"), asked],
    ];
    for (const [topic, text] of heardBefore) {
      expect(await messages.open("dev", topic, text).catch(codeOf)).toBe("replayed");
    }
  }
  const later = createDeviceMessages({ db });
  expect(await later.open("dev", report, await say(report, 5, 2))).toBe('{"n":2}');
  expect(await later.open("dev", report, await say(report, 6, 0))).toBe('{"n":0}');
});

test("topics of one session may overtake each other, and a will ends its own session only", async () => {
  const messages = createDeviceMessages({ db: kept() });
  const { reported, heartbeat, presence } = names;
  await messages.open("dev", reported("dev"), await say(reported("dev"), 5, 9));
  await messages.open("dev", heartbeat("dev"), await say(heartbeat("dev"), 5, 3));
  const will = await say(presence("dev"), 5, willNumber);
  await messages.open("dev", presence("dev"), will);
  await messages.open("dev", presence("dev"), await say(presence("dev"), 6, 0));
  expect(await messages.open("dev", presence("dev"), will).catch(codeOf)).toBe("replayed");
});

test("[Q11] nobody else's signature, and no unknown device, is believed or moves the counters", async () => {
  const messages = createDeviceMessages({ db: kept() });
  const report = names.reported("dev");
  const forged = await say(report, 9_999_999, 1, makeKey());
  expect(await messages.open("dev", report, forged).catch(codeOf)).toBe("bad_signature");
  expect(await messages.open("dev", report, '{"rev":1}').catch(codeOf)).toBe("unsigned");
  expect(await messages.open("nobody", names.reported("nobody"), forged).catch(codeOf)).toBe("unauthenticated");
  expect(await messages.open("dev", report, await say(report, 1, 0))).toBe('{"n":0}');
});
