/** A connection lives as long as the token that opened it, and ends when the device is revoked: over TCP and websockets. */
import { expect, test, vi } from "vitest";
import { device, ended, fakeFleet, testBroker } from "../../test/broker.ts";

const until = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 5 });

test.each(["mqtt", "ws"])("[R24] over %s the connection ends when its token does", async (scheme) => {
  const { fleet } = fakeFleet({ authenticate: async (agent) => Date.now() + (agent === "short" ? 400 : 600_000) });
  const { broker } = await testBroker({ fleet });
  const url = `${scheme}://127.0.0.1:${scheme === "ws" ? broker.wsPort : broker.port}`;
  const [short, long] = [device(url, "short"), device(url, "long")];
  const left = ended(short);
  await until(() => expect(broker.connected()).toContain("long"));
  await left;
  await until(() => expect(broker.connected()).toEqual(["long"]));
  expect(long.connected).toBe(true);
});

test.each(["mqtt", "ws"])(
  "[R24] over %s a device that is revoked is gone at once, and cannot come back",
  async (scheme) => {
    let revoked = false;
    const authenticate = vi.fn(async () => (revoked ? undefined : Date.now() + 600_000));
    const { fleet } = fakeFleet({ authenticate });
    const { broker } = await testBroker({ fleet });
    const url = `${scheme}://127.0.0.1:${scheme === "ws" ? broker.wsPort : broker.port}`;
    const lost = device(url, "lost");
    await until(() => expect(broker.connected()).toEqual(["lost"]));
    const left = ended(lost);
    revoked = true;
    await broker.disconnect("lost");
    await left;
    await ended(device(url, "lost"));
    expect(broker.connected()).toEqual([]);
  },
);
