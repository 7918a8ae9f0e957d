import type { ReleaseFacts } from "@vedette/protocol/release-api";
import { expect, test } from "vitest";
import { stoppedReleases } from "./stopped-releases.ts";

const release = (id: number, over: Partial<ReleaseFacts>): ReleaseFacts => ({
  ...{ id, model: "pump", digest: "d".repeat(64), state: "waiting", version: 2, why: "as it is", offer: "" },
  ...{ createdAt: "", createdBy: "ci", decidedAt: null, decidedBy: null, rollout: null, ...over },
});
const told = async (...list: ReleaseFacts[]) => {
  const { wrong } = await stoppedReleases({ list: async () => list }).look(new Set());
  return wrong.map(({ annotations }) => annotations.description);
};

test("the newest of a model that is held, refused or does not begin is told; what waits, goes on or was replaced is not", async () => {
  expect(await told(release(2, { state: "held" }), release(1, { state: "superseded" }))).toEqual([
    "Release 2: as it is",
  ]);
  expect(await told(release(1, { state: "refused" }))).toEqual(["Release 1: a signer refuses it: as it is"]);
  const rollout = { id: null, why: "no device is there" };
  expect(await told(release(1, { state: "released", rollout }))).toEqual([
    "Release 1: its rollout does not begin: no device is there",
  ]);
  expect(await told(release(2, { state: "waiting" }), release(1, { state: "refused" }))).toEqual([]);
  expect(await told(release(1, { state: "released", rollout: { id: 3, why: "" } }))).toEqual([]);
  expect(await told(release(1, { state: "frozen" }), release(2, { model: "gauge", state: "released" }))).toEqual([]);
});
