/**
 * The one place where what leaves the device is signed: between core, which says things, and the platform's transport.
 * Prediction batches pass as they are: their frames have their own proof.
 */
import { fromUtf8 } from "@vedette/protocol/bytes";
import { sealDeviceMessage, willNumber } from "@vedette/protocol/device-message";
import { parseTopic } from "@vedette/protocol/topics";
import type { DeviceKey, Transport, TransportHandlers } from "../ports.ts";
import type { SessionCounter } from "./session-counter.ts";

/** A transport whose sessions are numbered and whose will is made here. */
export type SignedTransport = Omit<Transport, "start"> & { start(handlers: TransportHandlers): void };

export function signTransport(given: {
  readonly transport: Transport;
  readonly key: DeviceKey;
  readonly agent: string;
  readonly presenceTopic: string;
  readonly sessions: SessionCounter;
}): SignedTransport {
  const { transport, key, agent, presenceTopic, sessions } = given;
  let n = 0;
  /** Signing takes its time: one after the other, so that numbers leave in their order. */
  let tail: Promise<unknown> = Promise.resolve();

  const seal = (topic: string, payload: Uint8Array | string): Promise<string> => {
    const sid = transport.sid;
    const body = typeof payload === "string" ? payload : fromUtf8(payload);
    const sealed = tail.then(() => sealDeviceMessage(agent, topic, { sid, n: n++ }, body, (bytes) => key.sign(bytes)));
    tail = sealed.catch(() => undefined); // the caller of this message hears of it
    return sealed;
  };

  return {
    start(handlers) {
      transport.start({
        ...handlers,
        async session(at) {
          const sid = await sessions.next(at);
          const farewell = JSON.stringify({ on: 0, sid });
          const sign = (bytes: Uint8Array<ArrayBuffer>) => key.sign(bytes);
          return { sid, will: await sealDeviceMessage(agent, presenceTopic, { sid, n: willNumber }, farewell, sign) };
        },
      });
    },
    async publish(topic, payload, options) {
      const batch = parseTopic(topic)?.kind === "log";
      return transport.publish(topic, batch ? payload : await seal(topic, payload), options);
    },
    get connected() {
      return transport.connected;
    },
    get sid() {
      return transport.sid;
    },
    get bytes() {
      return transport.bytes;
    },
    subscribe: (topic, qos) => transport.subscribe(topic, qos),
    unsubscribe: (topic) => transport.unsubscribe(topic),
    close: () => transport.close(),
  };
}
