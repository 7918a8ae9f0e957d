/** The report of `serving`, from what was measured. */
import { type Machine, machineLine, ratio, verdict } from "../report-format.ts";
import { type ServerName, serverKind } from "./servers.ts";
import type { ModelFigures, ServingFigures } from "./serving.ts";

/** Of model (a), by throughput. */
const budgets: readonly { readonly server: ServerName; readonly atLeast: number }[] = [
  { server: "json", atLeast: 0.8 },
  { server: "mlserver", atLeast: 5 },
  { server: "bentoml", atLeast: 5 },
  { server: "litserve", atLeast: 5 },
  { server: "starlette", atLeast: 2 },
];
export const budgetConnections = 32;
const healthBudgetMs = 10;

export function servingReport(machine: Machine, results: readonly ModelFigures[], rounds: number): string {
  return `# Serving, beside others

Written by \`npm run bench --workspace bench -- serving --write\`; do not edit. What each figure means is in \`../README.md\`.

${machineLine(machine)}
Each server is a process of its own, all take turns under the same load; medians of the rounds (${rounds}, after one that warms up).

| budget, model (a) at ${budgetConnections} connections | wanted | by throughput | by CPU | |
|---|---|---|---|---|
${budgetRows(results).join("\n")}
${healthRow(results)}

A ratio is Vedette's requests a second against the other's, or the other's CPU a request against Vedette's.
${results.map(modelPart).join("")}`;
}

function budgetRows(results: readonly ModelFigures[]): string[] {
  const figures = results.find(({ model }) => model === "mlp")?.figures ?? [];
  const at = (name: ServerName): ServingFigures | undefined =>
    figures.find(({ server, connections }) => server === name && connections === budgetConnections);
  const ours = at("vedette");
  return budgets.map(({ server, atLeast }) => {
    const other = at(server);
    const title = `infer against ${serverKind(server).title}`;
    if (!ours || !other) return `| ${title} | ≥ ${atLeast} | not measured | | |`;
    const byThroughput = ours.perSecond / other.perSecond;
    const byCpu = other.cpuMicros / ours.cpuMicros;
    return `| ${title} | ≥ ${atLeast} | ${ratio(byThroughput)} | ${ratio(byCpu)} | ${verdict(byThroughput >= atLeast)} |`;
  });
}

function healthRow(results: readonly ModelFigures[]): string {
  const title = `health p99 while (c) runs at 4 connections | ≤ ${healthBudgetMs} ms`;
  const ours = results.find(({ model }) => model === "conv")?.health.find(({ server }) => server === "vedette");
  if (!ours) return `| ${title} | not measured | | |`;
  const p99 = ours.p99Micros / 1000;
  return `| ${title} | ${p99.toFixed(1)} ms | | ${verdict(p99 <= healthBudgetMs)} |`;
}

const letters = { mlp: "a", trees: "b", conv: "c" } as const;

function modelPart({ model, title, figures, health }: ModelFigures): string {
  const rows = figures.map(
    ({ server, connections, perSecond, cpuMicros, p50Micros, p99Micros, failed }) =>
      `| ${connections} | ${serverKind(server).title} | ${rate(perSecond)} | ${cpuMicros.toFixed(0)} | ${milliseconds(p50Micros)} | ${milliseconds(p99Micros)} | ${failed} |`,
  );
  const healthRows = health.map(
    ({ server, asked, p50Micros, p99Micros }) =>
      `| ${serverKind(server).title} | ${milliseconds(p50Micros)} | ${milliseconds(p99Micros)} | ${asked} |`,
  );
  return `
## (${letters[model]}) ${title}

| connections | server | requests/s | CPU µs a request | p50 ms | p99 ms | failed |
|---|---|---|---|---|---|---|
${rows.join("\n")}

Its health, asked every 5 ms while 4 connections ask for predictions:

| server | p50 ms | p99 ms | asked |
|---|---|---|---|
${healthRows.join("\n")}
`;
}

const milliseconds = (micros: number): string => (micros / 1000).toFixed(2);
const rate = (value: number): string => value.toFixed(value < 1000 ? 1 : 0);
