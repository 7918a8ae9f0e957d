/** A receiver of webhooks: a real HTTP server that keeps what it gets. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import { listenLocally } from "./listen.ts";

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
  return Object.assign(receiver, { url: await listenLocally(server) });
}
