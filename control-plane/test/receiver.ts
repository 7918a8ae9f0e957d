/** A receiver of webhooks: a real HTTP server that keeps what it gets. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Receiver {
  readonly url: string;
  readonly got: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: unknown }[];
  /** What it answers from now on. */
  answer: { status: number; headers?: Record<string, string> };
}

/** Listens until the test is over. Answers 200 unless told otherwise. */
export async function startReceiver(): Promise<Receiver> {
  const receiver: Receiver = { url: "", got: [], answer: { status: 200 } };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { status, headers = {} } = receiver.answer;
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      receiver.got.push({ path: request.url ?? "", headers: request.headers, body });
      response.writeHead(status, headers).end("thank you");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return Object.assign(receiver, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}
