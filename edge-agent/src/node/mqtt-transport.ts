/** Port Transport over TCP or TLS: the MQTT transport with mqtt.js's sockets. */
import { connect } from "mqtt";
import type { Transport } from "../core/ports.ts";
import { createMqttTransport as createOn, type MqttTransportOptions } from "../mqtt/transport.ts";

/** @returns a transport that does nothing until `start`; its URLs are mqtt:// or mqtts://. */
export function createMqttTransport(options: MqttTransportOptions): Transport {
  return createOn(options, {
    connect,
    /** Bytes of the connection's socket, framing and pings included. */
    meter: (client) => () => {
      const socket = client.stream as { bytesWritten?: number; bytesRead?: number } | undefined;
      return { sent: socket?.bytesWritten ?? 0, received: socket?.bytesRead ?? 0 };
    },
  });
}
