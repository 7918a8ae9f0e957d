/** The results of ingest, delivery and idle as a person reads them: what `results/` holds is exactly these texts. */
import type { Machine } from "../report-format.ts";
import { type DeliveryResult, type DeliverySide, deliverySides } from "./delivery.ts";
import type { IdleResult } from "./idle.ts";
import { type IngestResult, type IngestSide, ingestSides } from "./ingest.ts";

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0);
const thousands = (value: number): string => `${(value / 1000).toFixed(0)}k`;
const verdict = (met: boolean): string => (met ? "met" : "**missed**");

function head(title: string, command: string, { date, cores, cpu, node, load }: Machine): string {
  return `# ${title}

Written by \`npm run bench --workspace bench -- ${command} --write\`; do not edit. What each figure means is in \`../README.md\`.

${date} UTC, ${cores} × ${cpu}, Node ${node}. Load average at the start: ${load.toFixed(1)}.`;
}

const budget = "| budget | wanted | measured | |\n|---|---|---|---|";

const ingestNames: Record<(typeof ingestSides)[number], string> = {
  take: "ingestion, called",
  mqtt: "ingestion, by MQTT on the embedded broker",
  append: "bare: appended to a file and synced",
  aedes: "bare: aedes, QoS 1, PUBACK only",
};

export function ingestReport(machine: Machine, result: IngestResult): string {
  const { sides } = result;
  const row = (name: string, side: IngestSide) =>
    `| ${name} | ${thousands(side.predictionsPerSecond)} | ${side.megabytesPerSecond.toFixed(1)} | ${side.cpuMicros.toFixed(2)} |`;
  const rate = sides.take.predictionsPerSecond;
  const parquet = result.parquetPerSecond;
  return `${head("Ingestion", "ingest", machine)}

${result.devices} devices with two batches under way each; a batch has ${result.batchRows} predictions (16 f32 in, 3 out) in
${result.batchBytes} bytes. Medians of ${result.rounds} interleaved rounds.

${budget}
| durable, exactly-once predictions/s | ≥ 200k | ${thousands(rate)} | ${verdict(rate >= 200_000)} |

| | predictions/s | MB/s | CPU µs a prediction |
|---|---|---|---|
${ingestSides.map((side) => row(ingestNames[side], sides[side])).join("\n")}

In the lake at the end: ${result.stored} rows, ${result.distinct} different ids, of ${result.sent} predictions sent;
${result.sentAgain} batches were sent a second time. From the inbox into Parquet: ${parquet === null ? "not measured" : `${thousands(parquet)} predictions/s`}.
`;
}

export function deliveryReport(machine: Machine, result: DeliveryResult): string {
  const { sides, devices, real } = result;
  const names: Record<(typeof deliverySides)[number], string> = {
    bare: `bare subscribers on bare aedes`,
    hashing: `the same, hashing what they get`,
    light: `the fetch protocol: window 4, each chunk hashed`,
    mixed: `the fetch protocol, ${real} of them real agents that store to the disk`,
    layer: `1 % changed: one layer`,
    scattered: `1 % changed: every hundredth weight`,
  };
  const row = (name: string, side: DeliverySide) =>
    `| ${name} | ${side.seconds.toFixed(2)} | ${side.brokerCpuSeconds.toFixed(2)} | ${megabytes(side.bytes)} |`;
  return `${head("Delivery", "delivery", machine)}

A model of ${megabytes(result.modelBytes)} MB in ${result.chunks} chunks to ${devices} devices; medians of interleaved rounds.

${budget}
| seconds against bare subscribers of the same chunks | ≤ 1.3 | ${result.ratio.toFixed(2)} | ${verdict(result.ratio <= 1.3)} |

By CPU of the broker the ratio is ${result.cpuRatio.toFixed(2)}. All devices are one process on the broker's machine, whose hashing counts in the
seconds; where the bare ones hash too the ratio is ${result.equalWork.toFixed(2)}.

| | seconds | broker CPU s | MB |
|---|---|---|---|
${deliverySides.map((side) => row(names[side], sides[side])).join("\n")}

Of a model with one layer in a hundred changed, ${((100 * sides.layer.bytes) / sides.light.bytes).toFixed(1)} % of the bytes are sent. Where the
changed weights lie in every chunk, nothing is saved: chunks are shared whole or not at all.
`;
}

export function idleReport(machine: Machine, result: IdleResult): string {
  const most = Math.max(result.connected, result.idle);
  const each = (most - result.before) / result.devices / 1000;
  return `${head("Idle devices", "idle", machine)}

A whole control plane (HTTP, database, lake threads, embedded broker) with ${result.devices} devices: four subscriptions each, a ping
a minute, watched for ${result.idleSeconds.toFixed(0)} s. Resident memory as it stands, no garbage collection asked for.

${budget}
| RSS with ${result.devices} idle devices, MB | ≤ 400 | ${megabytes(most)} | ${verdict(most <= 400e6)} |

| | |
|---|---|
| RSS before the first device, MB | ${megabytes(result.before)} |
| when all were connected, MB | ${megabytes(result.connected)} |
| the most while they idled, MB | ${megabytes(result.idle)} |
| a device, KB | ${each.toFixed(1)} |
| CPU while they idled, of one core | ${(100 * result.idleCpu).toFixed(1)} % |
| seconds until all were connected | ${result.connectSeconds.toFixed(1)} |
| connections lost | ${result.lost} |
`;
}
