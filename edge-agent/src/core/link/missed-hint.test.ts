import { expect, test } from "vitest";
import { createDevice } from "../test/harness.ts";

const desired = "vd1/demo/a/station-1/desired";

test("[Q55] a hint that lied does not make a device deaf to those after the next heartbeat, which says what it follows", async () => {
  const { peer, start } = createDevice();
  const first = peer.publish("rain", 1, { scale: 2 });
  peer.assign(first);
  const run = await start();
  await run.connect();
  for (let i = 0; i < 3; i++) await run.predict(1);
  peer.retain(desired, JSON.stringify({ rev: 9_000_000 }));
  await run.clock.advance(500);
  const beats = peer.beats.length;
  const second = peer.publish("rain", 2, { scale: 3 });
  // A control plane says the truth later, in a hint that is lost too.
  peer.assignSilently(second);
  await run.clock.advance(60_000);
  expect(peer.beats.slice(beats)).toMatchObject([{ rev: peer.rev - 1 }]);
  expect(run.slot()).toMatchObject({ serving: { digest: first.digest }, candidate: null });
  peer.retain(desired, JSON.stringify({ rev: peer.rev }));
  await run.clock.advance(500);
  expect(run.slot()).toMatchObject({ candidate: { digest: second.digest } });
});
