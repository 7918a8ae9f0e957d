/** Devices of `idle`: connected, subscribed as agents are, and silent but for a ping each keepalive. */
import { topics } from "@vedette/protocol/topics";
import { serveTasks } from "./helper.ts";
import { connectLight, type LightClient } from "./light-client.ts";
import { site } from "./open-house.ts";

const names = topics(site);
/** One address of the loopback has 28k ports for one target, and some are another's. */
const perAddress = 5_000;
/** Connecting at once. */
const together = 100;
/** Well within the keepalive, which allows half as much again. */
const pingEveryMs = 60_000;
const clients: LightClient[] = [];
let lost = 0;
let wheel: ReturnType<typeof setInterval> | undefined;

async function join(port: number, i: number): Promise<void> {
  const agent = `idle-${i}`;
  const localAddress = `127.0.0.${2 + Math.floor(i / perAddress)}`;
  const client = await connectLight({ port, agent, localAddress, message: () => undefined, lost: () => void lost++ });
  await client.subscribe(
    [names.desired(agent), names.response(agent), names.ack(agent, "pump"), names.controlPlane],
    1,
  );
  clients.push(client);
}

const tasks = {
  async connect({ port, count }: { port: number; count: number }): Promise<{ seconds: number }> {
    const started = performance.now();
    let next = 0;
    const worker = async () => {
      while (next < count) await join(port, next++);
    };
    await Promise.all(Array.from({ length: together }, worker));
    // One wheel for all: a sixtieth of them each turn.
    let turn = 0;
    wheel = setInterval(() => {
      for (let i = turn % 60; i < clients.length; i += 60) clients[i]?.ping();
      turn++;
    }, pingEveryMs / 60);
    return { seconds: (performance.now() - started) / 1000 };
  },
  lost: () => lost,
  close(): void {
    clearInterval(wheel);
    for (const client of clients) client.close();
  },
};
export type IdleDevicesTasks = typeof tasks;

serveTasks(tasks);
