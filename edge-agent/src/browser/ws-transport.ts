/** Port Transport over a WebSocket: the MQTT transport with the sockets and timers of a page's worker. */
import mqtt from "mqtt";
import type { Transport } from "../core/ports.ts";
import { createMqttTransport, type MqttTransportOptions } from "../mqtt/transport.ts";

/** @returns a transport that does nothing until `start`; its URLs are ws:// or wss://. */
export function createWsTransport(options: MqttTransportOptions): Transport {
  return createMqttTransport(options, {
    // Workers of the library would need a `worker-src` of their own, and timers of a worker are not throttled.
    connect: (url, given) => mqtt.connect(url, { ...given, timerVariant: "native" }),
    /** A WebSocket does not say what it carries: the packets do, but for their heads. */
    meter(client) {
      const bytes = { sent: 0, received: 0 };
      client.on("packetsend", (packet) => {
        if (packet.cmd === "publish") bytes.sent += packet.topic.length + packet.payload.length;
      });
      client.on("packetreceive", (packet) => {
        bytes.received += packet.length ?? 0;
      });
      return () => ({ ...bytes });
    },
  });
}
