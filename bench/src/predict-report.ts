/** The report of `predict`, from what was measured; report-format.ts has what all reports share. */
import type { HttpResult } from "./http.ts";
import type { PredictResult } from "./predict.ts";
import { type Machine, machineLine, micros, perSecond, ratio, verdict } from "./report-format.ts";

export function predictReport(machine: Machine, predict: PredictResult, http: HttpResult): string {
  const { cpu } = predict;
  return `# The predict path

Written by \`npm run bench --workspace bench -- predict --write\`; do not edit. What each figure means is in \`../README.md\`.

${machineLine(machine)}
Model: MLP 16→64→64→3. Medians of interleaved rounds.

| budget | wanted | measured | |
|---|---|---|---|
| full path, 32 requests a tick, against a bare run of 32 rows | ≥ 0.80 | ${ratio(predict.ratio)} | ${verdict(predict.ratio >= 0.8)} |
| validation + features + drift + log, without receipts, CPU µs a request | ≤ 3 | ${micros(cpu.parts)} | ${verdict(cpu.parts <= 3)} |
| drift, CPU µs a prediction | ≤ 0.4 | ${micros(cpu.drift)} | ${verdict(cpu.drift <= 0.4)} |
| bytes a logged prediction, sensor-like | ≤ 60 | ${predict.bytesPerPrediction.toFixed(1)} | ${verdict(predict.bytesPerPrediction <= 60)} |
| HTTP infer at ${http.connections} connections against node:http, JSON only | ≥ 0.80 | ${ratio(http.ratio)} | ${verdict(http.ratio >= 0.8)} |

## In process

| | predictions/s | CPU µs a prediction |
|---|---|---|
| bare \`session.run\`, 32 rows | ${perSecond(predict.bare)} | ${micros(cpu.bare)} |
| bare \`session.run\`, row by row | ${perSecond(predict.bareOneByOne)} | ${micros(cpu.bareOneByOne)} |
| full path, 32 requests of one row | ${perSecond(predict.full)} | ${micros(cpu.full)} |
| full path, one request of 32 rows | ${perSecond(predict.fullRows)} | ${micros(cpu.fullRows)} |

Of throughput: 32 requests are ${ratio(predict.ratioOneByOne)} of bare runs row by row; one request of 32 rows is
${ratio(predict.ratioRows)} of a bare run of 32.

| part | CPU µs a request |
|---|---|
| check against the input schema | ${micros(cpu.check)} |
| features: joined and fed | ${micros(cpu.features)} |
| drift | ${micros(cpu.drift)} |
| log: numbers, spool, batches, compression, synced files | ${micros(cpu.log)} |
| log with a receipt for each prediction, as models are published by default | ${micros(cpu.logWithReceipts)} |

## HTTP

| | requests/s | CPU µs a request | of the main thread | p50 µs | p99 µs | failed |
|---|---|---|---|---|---|---|
${httpRow("node:http, JSON only", http.json)}
${httpRow("infer, full path", http.infer)}

By CPU a request the ratio is ${ratio(http.cpuRatio)}, by that of the main thread ${ratio(http.mainRatio)}.
`;
}

function httpRow(name: string, side: HttpResult["json"]): string {
  const { p50Micros, p99Micros } = side;
  return `| ${name} | ${perSecond(side.perSecond)} | ${micros(side.cpuMicros)} | ${micros(side.mainMicros)} | ${p50Micros.toFixed(0)} | ${p99Micros.toFixed(0)} | ${side.failed} |`;
}
