/** Devices that are asked a second version beside the one that answers. */
import type { Split } from "@vedette/protocol/split";
import type { FakeModel } from "./fake-peer.ts";
import { servingDevice } from "./harness.ts";

/** Runs of a version's proof. */
export const proofRuns = 15;
/** y = 2x answers; beside it what is given, fetched and proven. */
export async function shadowed(beside: FakeModel, sample = 1, memoryBytes?: number) {
  const device = await servingDevice(memoryBytes);
  const { peer, run, first } = device;
  const second = peer.publish("rain", 2, beside);
  peer.assignBeside(first, second, sample);
  await run.clock.advance(1000);
  return { ...device, second };
}
export type Run = Awaited<ReturnType<typeof servingDevice>>["run"];
/** Asks one row after the other; answers the values. */
export async function ask(run: Run, times: number) {
  const answers = [];
  for (let i = 1; i <= times; i++) {
    answers.push((await run.predict(i))?.value);
    await run.clock.advance(5);
  }
  return answers;
}

/** y = 2x answers; what is given answers the entities of the split. */
export async function splitDevice(second: FakeModel, memoryBytes?: number) {
  const split: Split = { salt: "ab".repeat(16), share: 0.5 };
  const device = await servingDevice(memoryBytes);
  const { peer, run, first } = device;
  const other = peer.publish("rain", 2, second);
  peer.assignBeside(first, other, 1, split);
  await run.clock.advance(1000);
  return { ...device, split, second: other };
}
