/** The HTTP API on a port. `compose.ts` opens it last, when everything that it calls is there. */
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { bindPort } from "../bind-port.ts";

const closeWithinMs = 5_000;

export interface HttpListener {
  /** Where it is reached from this machine. */
  readonly url: string;
  /** Answers what is under way, for five seconds at most. */
  close(): Promise<void>;
}

/** @throws VedetteError not_ready where the port cannot be had. */
export async function listenHttp(
  fetch: (request: Request) => Response | Promise<Response>,
  host: string,
  port: number,
): Promise<HttpListener> {
  const server = createAdaptorServer({ fetch }) as Server;
  const bound = await bindPort(server, host, port, { what: "HTTP", flag: "--port" });
  // A wildcard address is one to listen on, not one to reach.
  const reached = ["0.0.0.0", "::"].includes(host) ? "127.0.0.1" : host;
  return {
    url: `http://${reached.includes(":") ? `[${reached}]` : reached}:${bound}`,
    close: () => closeServer(server),
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    // A client that never finishes its request must not keep the lake and the database from being closed in order.
    const giveUp = setTimeout(() => server.closeAllConnections(), closeWithinMs);
    server.close((error) => {
      clearTimeout(giveUp);
      if (error) reject(error);
      else resolve();
    });
    server.closeIdleConnections();
  });
}
