/** The two ways in: MQTT over TCP for devices, and over websockets (subprotocol `mqtt`) for pages. */
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer } from "ws";
import type { BrokerLimits } from "./limits.ts";

export interface Listeners {
  readonly port: number;
  readonly wsPort: number;
  /** Ends every connection and frees the ports. */
  close(): Promise<void>;
}

/** Listens on both. `accept` is handed each connection's bytes. */
export async function listen(
  options: { host: string; port: number; wsPort: number; limits: BrokerLimits },
  accept: (conn: Duplex, request?: IncomingMessage) => void,
): Promise<Listeners> {
  const { host, limits } = options;
  const open = new Set<Duplex>();
  const admit = (conn: Duplex) => {
    if (open.size >= limits.connections) {
      conn.destroy();
      return false;
    }
    open.add(conn);
    conn.once("close", () => open.delete(conn));
    return true;
  };

  const tcp = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => {
    if (admit(socket)) accept(socket);
  });

  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.packetBytes,
    perMessageDeflate: false,
    handleProtocols: () => "mqtt",
  });
  const http = createServer((_, response) => {
    response.writeHead(426, { Upgrade: "websocket", Connection: "close" }).end("MQTT over websockets only\n");
  });
  http.headersTimeout = limits.connectTimeoutMs;
  http.requestTimeout = limits.connectTimeoutMs;
  http.on("upgrade", (request, socket, head) => {
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    if (!offered.includes("mqtt")) {
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nthe subprotocol is mqtt\n");
      return;
    }
    if (!admit(socket)) return;
    sockets.handleUpgrade(request, socket, head, (webSocket) => accept(createWebSocketStream(webSocket), request));
  });

  return {
    port: await bind(tcp, host, options.port),
    wsPort: await bind(http, host, options.wsPort),
    async close() {
      const closed = [tcp, http].map((server) => new Promise((resolve) => server.close(resolve)));
      for (const conn of open) conn.destroy();
      http.closeAllConnections();
      await Promise.all(closed);
    },
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
