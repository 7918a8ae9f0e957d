import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import { manualClock, silentLogger } from "../../../test/clock.ts";
import { rolloutOf } from "../../../test/rollout-world.ts";
import { storeVersion } from "../../../test/store-version.ts";
import { openDatabase } from "../../db/database.ts";
import { createReleases } from "./releases.ts";

test("[H17] a rollout that is over in the moment of a freeze keeps none of the others going", async () => {
  const db = await openDatabase(":memory:");
  await storeVersion(db);
  const clock = manualClock();
  const entry = { at: clock.now(), actor: "hands-free", action: "rollout.start", subject: "a test", detail: {} };
  const begin = async () => {
    const { id: _, ...draft } = rolloutOf({}, { createdBy: "hands-free" });
    return db.rollouts.create(draft, () => entry);
  };
  const [first, second, third] = [await begin(), await begin(), await begin()];
  const paused: number[] = [];
  const never = () => Promise.reject(new Error("not asked in this test"));
  const releases = createReleases({
    ...{ site: "test", db, clock, logger: silentLogger, blobs: { get: never } },
    trust: { publish: never, signatures: () => ({ good: 0, threshold: 1 }) },
    gates: { proposed: never, reportProposed: never },
    rollouts: {
      start: never,
      async act(id) {
        if (id === second) throw new VedetteError("conflict", `rollout ${id} is over`);
        paused.push(id);
      },
    },
  });
  const frozen = await releases.freeze("rain", true, "odd labels", "ada");
  expect(frozen).toMatchObject({ handsFree: { frozen: true }, paused: [first, third] });
  expect(paused).toEqual([first, third]);
});
