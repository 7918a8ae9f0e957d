/**
 * Durable, exactly-once predictions a second: batches of about 20 KB as devices make them, taken by the real ingestion
 * (inbox thread, SQLite with synchronous FULL), without a network and by MQTT; beside a file that is appended to and
 * synced, and beside aedes that only answers PUBACK.
 */
import { median } from "../rounds.ts";
import { startHelper } from "./helper.ts";
import type { IngestDevicesTasks } from "./ingest-devices.ts";
import type { IngestServerTasks, Taken } from "./ingest-server.ts";

export const ingestSides = ["take", "mqtt", "append", "aedes"] as const;
export interface IngestSide {
  /** Medians over the rounds. */
  readonly predictionsPerSecond: number;
  readonly megabytesPerSecond: number;
  /** Of the receiving process, µs a prediction. */
  readonly cpuMicros: number;
}
export interface IngestResult {
  readonly devices: number;
  readonly rounds: number;
  readonly batchBytes: number;
  readonly batchRows: number;
  readonly sides: Record<(typeof ingestSides)[number], IngestSide>;
  /** In the lake at the end; sent; and sent again although they were stored. */
  readonly stored: number;
  readonly distinct: number;
  readonly sent: number;
  readonly sentAgain: number;
  /** Predictions a second from the inbox into Parquet; null where the lake's own timer was there before. */
  readonly parquetPerSecond: number | null;
}

export interface IngestOptions {
  readonly rounds: number;
  readonly devices: number;
  /** Of one device in one turn. */
  readonly batches: number;
}

/** The first round only warms up. */
export async function measureIngest({ rounds, devices, batches }: IngestOptions): Promise<IngestResult> {
  const server = startHelper<IngestServerTasks>(new URL("./ingest-server.ts", import.meta.url));
  const load = startHelper<IngestDevicesTasks>(new URL("./ingest-devices.ts", import.meta.url));
  try {
    const ports = await server.ask("ports", undefined as never);
    const turns: Record<(typeof ingestSides)[number], Taken[]> = { take: [], mqtt: [], append: [], aedes: [] };
    let sent = 0;
    let sentAgain = 0;
    const bySocket = async (port: number, until: "puback" | "stored"): Promise<Taken> => {
      await server.ask("cpu", undefined as never);
      const taken = await load.ask("send", { port, until });
      return { ...taken, cpuSeconds: await server.ask("cpu", undefined as never) };
    };
    for (let round = 0; round <= rounds; round++) {
      const made = { round: String(round), devices, batches };
      const again = await load.ask("make", made);
      const one = {
        take: await server.ask("take", made),
        mqtt: await bySocket(ports.vedette, "stored"),
        append: await server.ask("append", made),
        aedes: await bySocket(ports.bare, "puback"),
      };
      sent += one.take.predictions + one.mqtt.predictions;
      sentAgain += await server.ask("repeat", again);
      if (round > 0) for (const side of ingestSides) turns[side].push(one[side]);
    }
    // What came in the rounds first, so that the flush that is timed has one known load and waits for no other.
    await server.ask("flush", undefined as never);
    const last = await server.ask("take", { round: "last", devices, batches });
    sent += last.predictions;
    const flushed = await server.ask("flush", undefined as never);
    const { rows, ids } = await server.ask("stored", undefined as never);
    await server.ask("close", undefined as never);
    const side = (name: (typeof ingestSides)[number]): IngestSide => ({
      predictionsPerSecond: median(turns[name].map((turn) => turn.predictions / turn.seconds)),
      megabytesPerSecond: median(turns[name].map((turn) => turn.bytes / turn.seconds / 1e6)),
      cpuMicros: median(turns[name].map((turn) => (turn.cpuSeconds * 1e6) / turn.predictions)),
    });
    const [first] = turns.take;
    const batchRows = (first?.predictions ?? 0) / (devices * batches);
    return {
      devices,
      rounds,
      batchBytes: Math.round((first?.bytes ?? 0) / (devices * batches)),
      batchRows,
      sides: { take: side("take"), mqtt: side("mqtt"), append: side("append"), aedes: side("aedes") },
      stored: rows,
      distinct: ids,
      sent,
      sentAgain,
      parquetPerSecond: flushed.batches > 0 ? (flushed.batches * batchRows) / flushed.seconds : null,
    };
  } finally {
    await load.end();
    await server.end();
  }
}
