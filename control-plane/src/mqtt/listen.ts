/** The two ways in: MQTT over TCP for devices, and over websockets (subprotocol `mqtt`) for pages; both with TLS, or neither. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import { createWebSocketStream, WebSocketServer } from "ws";
import { bindPort } from "../bind-port.ts";
import type { BrokerLimits } from "./limits.ts";

export interface Listeners {
  readonly port: number;
  readonly wsPort: number;
  /** Ends every connection and frees the ports. */
  close(): Promise<void>;
}

/** Listens on both. `accept` is handed each connection's bytes. @throws VedetteError not_ready where a port cannot be had. */
export async function listen(
  options: {
    host: string;
    port: number;
    wsPort: number;
    limits: BrokerLimits;
    tls?: { readonly cert: string; readonly key: string } | undefined;
  },
  accept: (conn: Duplex, request?: IncomingMessage) => void,
): Promise<Listeners> {
  const { host, limits, tls } = options;
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

  const tcpOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
  const onTcp = (socket: Duplex) => {
    if (admit(socket)) accept(socket);
  };
  const tcp = tls
    ? createTlsServer({ ...tcpOptions, ...tls, handshakeTimeout: limits.connectTimeoutMs }, onTcp)
    : createTcpServer(tcpOptions, onTcp);

  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.packetBytes,
    perMessageDeflate: false,
    handleProtocols: () => "mqtt",
  });
  const onlyUpgrades = (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(426, { Upgrade: "websocket", Connection: "close" }).end("MQTT over websockets only\n");
  };
  const http = tls ? createHttpsServer({ ...tls }, onlyUpgrades) : createServer(onlyUpgrades);
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

  const port = await bindPort(tcp, host, options.port, { what: "MQTT", flag: "--mqtt-port" });
  const wsUse = { what: "MQTT over websockets", flag: "--ws-port" };
  const wsPort = await bindPort(http, host, options.wsPort, wsUse).catch((error: unknown) => {
    // Or the process would stay for the sake of half a broker.
    tcp.close();
    throw error;
  });
  return {
    port,
    wsPort,
    async close() {
      const closed = [tcp, http].map((server) => new Promise((resolve) => server.close(resolve)));
      for (const conn of open) conn.destroy();
      http.closeAllConnections();
      await Promise.all(closed);
    },
  };
}
