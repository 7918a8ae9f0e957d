/** aedes as it comes, without any rule: what a broker costs before it does anything for anybody. */
import { type AddressInfo, createServer } from "node:net";
import { Aedes } from "aedes";

export interface BareBroker {
  readonly port: number;
  retain(topic: string, payload: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export async function startBareAedes(): Promise<BareBroker> {
  const aedes = await Aedes.createBroker();
  const server = createServer({ noDelay: true }, (socket) => void aedes.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    retain: (topic, payload) =>
      new Promise((resolve, reject) => {
        const packet = {
          cmd: "publish",
          topic,
          payload: Buffer.from(payload),
          qos: 0,
          retain: true,
          dup: false,
        } as const;
        aedes.publish(packet, (error) => (error ? reject(error) : resolve()));
      }),
    close: () =>
      new Promise((resolve) => {
        aedes.close(() => server.close(() => resolve()));
      }),
  };
}
