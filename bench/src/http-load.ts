/**
 * The load, in a process of its own: connections that each send their next request when the last is answered. Sockets by
 * hand, since an HTTP client would cost more than the server it measures. Told what to do, and says what came, by messages.
 */
import { connect, type Socket } from "node:net";
import { fieldCount, imageSize, images, imageValues, sensorRows } from "./inputs.ts";

export interface LoadOrder {
  readonly port: number;
  readonly path: string;
  /** What the requests hold; `nothing` is a GET. */
  readonly inputs: "sensors" | "image" | "nothing";
  readonly connections: number;
  readonly forMs: number;
  /** From one request of a connection to its next, ms; 0 or missing: as soon as the last is answered. */
  readonly everyMs?: number;
}
export interface LoadReport {
  readonly answered: number;
  /** Answers that were no 200. */
  readonly failed: number;
  readonly seconds: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** Requests take turns: a constant input would understate what it costs to watch them. */
const distinct = { sensors: 1024, image: 32 } as const;

const made = new Map<string, readonly Buffer[]>();

function requestsTo({ path, inputs }: LoadOrder): readonly Buffer[] {
  const key = `${inputs} ${path}`;
  const known = made.get(key);
  if (known) return known;
  const requests =
    inputs === "nothing"
      ? [Buffer.from(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)]
      : bodiesOf(inputs).map((body) =>
          Buffer.from(
            `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
          ),
        );
  made.set(key, requests);
  return requests;
}

function bodiesOf(inputs: "sensors" | "image"): string[] {
  const count = distinct[inputs];
  const [width, decimals] = inputs === "image" ? [imageValues, 3] : [fieldCount, 1];
  const shape = inputs === "image" ? [1, 3, imageSize, imageSize] : [1, fieldCount];
  const rows = inputs === "image" ? images(count) : sensorRows(count);
  return Array.from({ length: count }, (_, i) => {
    const row = rows.subarray(i * width, (i + 1) * width);
    const data = Array.from(row, (value) => Number(value.toFixed(decimals)));
    return JSON.stringify({ inputs: [{ name: "X", datatype: "FP32", shape, data }] });
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

export async function load(order: LoadOrder): Promise<LoadReport> {
  const { port, connections, forMs, everyMs = 0 } = order;
  const requests = requestsTo(order);
  const times: number[] = [];
  let failed = 0;
  let next = 0;
  const started = performance.now();
  const until = started + forMs;
  const converse = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let held: Buffer = Buffer.alloc(0);
      let sent = 0;
      let done = false;
      const send = (): void => {
        sent = performance.now();
        socket.write(requests[next++ % requests.length] as Buffer);
      };
      socket.on("data", (bytes: Buffer) => {
        held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
        const answer = answerIn(held);
        if (!answer) return;
        held = held.subarray(answer.end);
        const now = performance.now();
        times.push(now - sent);
        if (answer.status !== 200) failed++;
        if (now >= until) {
          done = true;
          socket.end();
        } else if (everyMs > 0) setTimeout(send, Math.max(0, sent + everyMs - now));
        else send();
      });
      socket.on("error", reject);
      socket.on("close", () => (done ? resolve() : reject(new Error(`port ${port} closed a connection`))));
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
