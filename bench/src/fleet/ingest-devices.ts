/** Devices of `ingest` over MQTT, in a process of their own: each keeps two batches under way until they are acknowledged. */
import { topics } from "@vedette/protocol/topics";
import { type DeviceBatches, makeBatches, stream } from "./device-batches.ts";
import { serveTasks } from "./helper.ts";
import type { Made, Taken } from "./ingest-server.ts";
import { connectLight } from "./light-client.ts";
import { site } from "./open-house.ts";

const window = 2;
const names = topics(site);
let made: DeviceBatches[] = [];

/** @param until the PUBACK, which proves nothing, or the control plane's own word that it is stored. */
async function send(port: number, until: "puback" | "stored", each: DeviceBatches): Promise<{ run(): Promise<void> }> {
  const { agent, epoch, frames } = each;
  let acked = -1;
  let failed: Error | undefined;
  let wake = () => {};
  const client = await connectLight({
    port,
    agent,
    message(_, payload) {
      const ack = JSON.parse(payload.toString()) as { epoch?: string; upTo?: number };
      if (ack.epoch !== epoch || ack.upTo === undefined) failed = new Error(`not stored: ${payload.toString()}`);
      else acked = Math.max(acked, ack.upTo);
      wake();
    },
    lost(why) {
      failed = new Error(`${agent} was cut off: ${why}`);
      wake();
    },
  });
  await client.subscribe([names.ack(agent, stream)], 0);
  return {
    async run() {
      let sent = 0;
      let pubacks = 0;
      const done = () => (until === "stored" ? acked + 1 : pubacks);
      while (done() < frames.length) {
        while (sent < frames.length && sent - done() < window) {
          const published = client.publish(names.log(agent, stream), frames[sent++] as Uint8Array<ArrayBuffer>, 1);
          published.then(
            () => {
              pubacks++;
              if (until === "puback") wake();
            },
            (error: Error) => {
              failed = error;
              wake();
            },
          );
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (failed) resolve();
        });
        if (failed) throw failed;
      }
      client.close();
    },
  };
}

const tasks = {
  async make({ round, devices, batches }: Made): Promise<{ agent: string; frames: Uint8Array<ArrayBuffer>[] }[]> {
    made = [];
    for (let i = 0; i < devices; i++) made.push(await makeBatches(`mqtt-${round}-${i}`, batches, i + 1));
    // What will be sent a second time.
    return made.slice(0, 2).map(({ agent, frames }) => ({ agent, frames: [...frames] }));
  },
  async send({ port, until }: { port: number; until: "puback" | "stored" }): Promise<Omit<Taken, "cpuSeconds">> {
    const ready = await Promise.all(made.map((each) => send(port, until, each)));
    const started = performance.now();
    await Promise.all(ready.map(({ run }) => run()));
    return {
      predictions: made.reduce((sum, { predictions }) => sum + predictions, 0),
      bytes: made.reduce((sum, { frames }) => sum + frames.reduce((all, { length }) => all + length, 0), 0),
      seconds: (performance.now() - started) / 1000,
    };
  },
};
export type IngestDevicesTasks = typeof tasks;

serveTasks(tasks);
