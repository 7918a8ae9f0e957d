/** `npm run bench --workspace bench -- NAME`: measures and prints; with `--write` keeps the report in results/. */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { messageOf } from "@vedette/protocol/errors";
import { measureHttp } from "./http.ts";
import { measurePredict } from "./predict.ts";
import { predictReport } from "./predict-report.ts";
import { type Machine, thisMachine } from "./report-format.ts";
import { modelKinds } from "./serving/models.ts";
import { isThere, serverNames } from "./serving/servers.ts";
import { measureServing } from "./serving/serving.ts";
import { budgetConnections, servingReport } from "./serving/serving-report.ts";

const help = `npm run bench --workspace bench -- NAME [options]

  predict   the predict path, in process against bare session.run and over HTTP against JSON-only node:http; 20 s
  serving   the agent's HTTP beside MLServer, BentoML, LitServe, bare Starlette and JSON-only node:http, three models;
            6 min. The Python ones need bench/peers/make.sh first, and are left out where it has not been run.

  --json    one JSON object to stdout instead of the report
  --write   the report to bench/results/NAME.md too
  --rounds  of serving: how often each server has its turn, 3 where not said; its medians are over them
  --help

  npm run bench --workspace bench -- predict --json
`;

/** What a measurement found, and its report. */
interface Measured {
  readonly result: object;
  readonly report: string;
}

async function predict(machine: Machine): Promise<Measured> {
  const inProcess = await measurePredict({ rounds: 7, turnMs: 150 });
  const http = await measureHttp({ rounds: 7, turnMs: 400 });
  return { result: { predict: inProcess, http }, report: predictReport(machine, inProcess, http) };
}

async function serving(machine: Machine, rounds: number): Promise<Measured> {
  const servers = serverNames.filter(isThere);
  const missing = serverNames.filter((name) => !isThere(name));
  if (missing.length > 0) process.stderr.write(`left out, for want of bench/peers/make.sh: ${missing.join(", ")}\n`);
  const connections = [1, 8, budgetConnections, 64];
  const results = await measureServing({ servers, models: modelKinds, connections, rounds, turnMs: 1000 });
  return { result: { serving: results }, report: servingReport(machine, results, rounds) };
}

const measurements = new Map(Object.entries({ predict, serving }));

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const name = positionals.join(" ");
  const measure = measurements.get(name);
  if (!measure) {
    const known = [...measurements.keys()].join(" or ");
    process.stderr.write(`unknown measurement ${JSON.stringify(name)}: say ${known}, or --help\n`);
    return 1;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    process.stderr.write(`--rounds is a number from 1 up, not ${JSON.stringify(values.rounds)}\n`);
    return 1;
  }
  const machine = thisMachine();
  const { result, report } = await measure(machine, rounds);
  process.stdout.write(values.json ? `${JSON.stringify({ machine, ...result })}\n` : report);
  if (values.write) await writeFile(new URL(`../results/${name}.md`, import.meta.url), report);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 2;
}
