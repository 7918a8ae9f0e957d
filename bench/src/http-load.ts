/**
 * The load, in a process of its own: connections that each send their next request when the last is answered. Sockets by
 * hand, since an HTTP client would cost more than the server it measures. Told what to do, and says what came, by messages.
 */
import { connect, type Socket } from "node:net";
import { fieldCount, sensorRows } from "./inputs.ts";

export interface LoadOrder {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly forMs: number;
}
export interface LoadReport {
  readonly answered: number;
  /** Answers that were no 200. */
  readonly failed: number;
  readonly seconds: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

const distinct = 1024;

function requestsTo(path: string): Buffer[] {
  const rows = sensorRows(distinct);
  return Array.from({ length: distinct }, (_, i) => {
    const data = Array.from(rows.subarray(i * fieldCount, (i + 1) * fieldCount), (value) => Number(value.toFixed(1)));
    const body = JSON.stringify({ inputs: [{ name: "X", datatype: "FP32", shape: [1, fieldCount], data }] });
    return Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });
}

/** The whole answer at the front of `bytes`: its status and where it ends; undefined while some of it is missing. */
function answerIn(bytes: Buffer): { status: number; end: number } | undefined {
  const head = bytes.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const text = bytes.toString("latin1", 0, head);
  const length = /content-length: (\d+)/i.exec(text);
  if (!length) throw new Error(`an answer without its length: ${text}`);
  const end = head + 4 + Number(length[1]);
  return bytes.length < end ? undefined : { status: Number(text.slice(9, 12)), end };
}

export async function load({ port, path, connections, forMs }: LoadOrder): Promise<LoadReport> {
  const requests = requestsTo(path);
  const times: number[] = [];
  let failed = 0;
  let next = 0;
  const started = performance.now();
  const until = started + forMs;
  const converse = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let held: Buffer = Buffer.alloc(0);
      let sent = 0;
      const send = (): void => {
        sent = performance.now();
        socket.write(requests[next++ % distinct] as Buffer);
      };
      socket.on("data", (bytes: Buffer) => {
        held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
        const answer = answerIn(held);
        if (!answer) return;
        held = held.subarray(answer.end);
        const now = performance.now();
        times.push(now - sent);
        if (answer.status !== 200) failed++;
        if (now < until) send();
        else socket.end();
      });
      socket.on("error", reject);
      socket.on("close", () => resolve());
      socket.on("connect", send);
    });
  await Promise.all(
    Array.from({ length: connections }, () => converse(connect({ port, host: "127.0.0.1", noDelay: true }))),
  );
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number): number => (times[Math.floor(times.length * share)] ?? Number.NaN) * 1000;
  return { answered: times.length, failed, seconds, p50Micros: at(0.5), p99Micros: at(0.99) };
}

process.on("message", (order: LoadOrder) => {
  load(order).then(
    (report) => process.send?.(report),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
