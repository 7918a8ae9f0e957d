/** A process that dies at any change of its disk, where a second version is asked: answers go on. */
import { expect, it } from "vitest";
import { servingDevice } from "../test/harness.ts";
import { ask, type Run, shadowed } from "../test/shadowed.ts";

type Device = Awaited<ReturnType<typeof servingDevice>>;
/** Kills the process at each change of its disk in turn while something is done; `after` looks at the next process. */
async function killedAtEach(
  made: () => Promise<Device & { act(): Promise<void>; after(run: Run, killedAt: number): Promise<void> }>,
) {
  for (let change = 0; change < 80; change++) {
    const device = await made();
    let killed = false;
    device.disk.onDeath = () => {
      killed = true;
    };
    device.disk.killAt(change, change % 2);
    await device.act();
    if (!killed) return expect(change).toBeGreaterThan(5);
    device.disk.kill();
    device.run.transport.disconnect();
    const next = await device.start();
    expect((await next.predict(1))?.source, `killed at change ${change}`).toBe("model");
    await next.connect();
    await next.clock.advance(2000);
    await device.after(next, change);
  }
  throw new Error("the last change was never reached");
}

it("[S57] killed at each change of its disk while it arrives, a device answers on, and asks it in the end", () =>
  killedAtEach(async () => {
    const device = await servingDevice();
    const { peer, run, first } = device;
    const second = peer.publish("rain", 2, { scale: 3 });
    return {
      ...device,
      async act() {
        peer.assignBeside(first, second);
        await run.clock.advance(2000);
      },
      async after(next, change) {
        await ask(next, 2);
        expect(next.slot(), `killed at change ${change}`).toMatchObject({
          serving: { digest: first.digest },
          beside: { digest: second.digest, state: "asking" },
        });
      },
    };
  }));

it("[S57] killed at each change of its disk while the two change places, it answers on, and asks the other in the end", () =>
  killedAtEach(async () => {
    const device = await shadowed({ scale: 3 });
    const { peer, run, first, second } = device;
    return {
      ...device,
      async act() {
        peer.assignBeside(second, first);
        await run.clock.advance(2000);
        // After a kill nobody is there to answer.
        await Promise.race([Promise.allSettled([1, 2, 3, 4].map((x) => run.predict(x))), run.clock.advance(1000)]);
        await run.clock.advance(2000);
      },
      async after(next, change) {
        await ask(next, 6);
        await next.clock.advance(1000);
        expect(next.slot(), `killed at change ${change}`).toMatchObject({
          serving: { digest: second.digest },
          previous: { digest: first.digest },
          beside: { digest: first.digest, state: "asking", answering: second.digest },
        });
      },
    };
  }));
