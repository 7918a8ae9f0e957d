/** Who is there, by the clock; by a broker that dies with the farewells it was to send: external-broker.test.ts. */

import { expect, onTestFinished, test } from "vitest";
import { manualClock, noon, silentLogger } from "../../test/clock.ts";
import { openDatabase } from "../db/database.ts";
import { createPresence } from "./presence.ts";

async function open() {
  const db = await openDatabase(":memory:");
  const clock = manualClock();
  const presence = createPresence({ db, clock, logger: silentLogger });
  onTestFinished(async () => {
    await presence.close();
    await db.close();
  });
  return { presence, clock };
}

test("[Q54] any sign of life renews the lease; a farewell ends it, but for an older session's", async () => {
  const { presence, clock } = await open();
  presence.said("dev", true, 2);
  clock.set(noon + 149_000);
  presence.seen("dev");
  clock.set(noon + 298_000);
  expect(presence.online("dev")).toBe(true);
  presence.said("dev", false, 1);
  expect(presence.online("dev")).toBe(true);
  presence.said("dev", false, 2);
  expect(presence.online("dev")).toBe(false);
});
