/** `npm run bench --workspace bench -- NAME`: measures and prints; with `--write` keeps the report in results/. */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { messageOf } from "@vedette/protocol/errors";
import { measureDelivery } from "./fleet/delivery.ts";
import { measureIdle } from "./fleet/idle.ts";
import { measureIngest } from "./fleet/ingest.ts";
import { deliveryReport, idleReport, ingestReport } from "./fleet/report.ts";
import { measureHttp } from "./http.ts";
import { measurePredict } from "./predict.ts";
import { predictReport } from "./predict-report.ts";
import { type Machine, thisMachine } from "./report-format.ts";
import { modelKinds } from "./serving/models.ts";
import { isThere, serverNames } from "./serving/servers.ts";
import { measureServing } from "./serving/serving.ts";
import { budgetConnections, servingReport } from "./serving/serving-report.ts";

const help = `npm run bench --workspace bench -- NAME [options]

  predict    the predict path, in process against bare session.run, and over HTTP against JSON-only node:http; 20 s
  serving    the agent's HTTP beside MLServer, BentoML, LitServe, bare Starlette and JSON-only node:http, three models;
             6 min. The Python ones need bench/peers/make.sh first, and are left out where it has not been run.
  ingest     durable predictions a second, beside a synced file and bare aedes; 1 min
  delivery   5 MiB to 200 devices beside bare subscribers, and a model of which 1 % changed; 1 min
  idle       memory of a control plane with 10,000 idle devices; needs 10,100 open files a process; 2 min

  --json    one JSON object to stdout instead of the report
  --write   the report to bench/results/NAME.md too
  --rounds  of serving: how often each server has its turn, 3 where not said; its medians are over them
  --help

  npm run bench --workspace bench -- ingest --json

Exit code: 0 measured, whether or not budgets are met; 1 wrong arguments; 2 it could not be measured.
`;

/** What was measured, as an object and as text. */
interface Measured {
  readonly results: object;
  readonly report: string;
}

async function serving(machine: Machine, rounds: number): Promise<Measured> {
  const servers = serverNames.filter(isThere);
  const missing = serverNames.filter((name) => !isThere(name));
  if (missing.length > 0) process.stderr.write(`left out, for want of bench/peers/make.sh: ${missing.join(", ")}\n`);
  const connections = [1, 8, budgetConnections, 64];
  const results = await measureServing({ servers, models: modelKinds, connections, rounds, turnMs: 1000 });
  return { results: { serving: results }, report: servingReport(machine, results, rounds) };
}

const measurements: Readonly<Record<string, (machine: Machine, rounds: number) => Promise<Measured>>> = {
  async predict(machine) {
    const predict = await measurePredict({ rounds: 7, turnMs: 150 });
    const http = await measureHttp({ rounds: 7, turnMs: 400 });
    return { results: { predict, http }, report: predictReport(machine, predict, http) };
  },
  serving,
  async ingest(machine) {
    const ingest = await measureIngest({ rounds: 5, devices: 50, batches: 20 });
    return { results: { ingest }, report: ingestReport(machine, ingest) };
  },
  async delivery(machine) {
    const delivery = await measureDelivery({ rounds: 5, devices: 200, real: 20, modelBytes: 5 * 1024 * 1024 });
    return { results: { delivery }, report: deliveryReport(machine, delivery) };
  },
  async idle(machine) {
    const idle = await measureIdle({ devices: 10_000, idleMs: 90_000 });
    return { results: { idle }, report: idleReport(machine, idle) };
  },
};

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
    },
  });
  const name = positionals.join(" ");
  const measure = Object.hasOwn(measurements, name) ? measurements[name] : undefined;
  if (!values.help && !measure) {
    throw new TypeError(
      `unknown measurement ${JSON.stringify(name)}: say one of ${Object.keys(measurements).join(", ")}`,
    );
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new TypeError(`--rounds is a number from 1 up, not ${JSON.stringify(values.rounds)}`);
  }
  return { ...values, rounds, name, measure };
}

async function main(): Promise<number> {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}; --help shows an example\n`);
    return 1;
  }
  const { name, measure, rounds, json, write } = given;
  if (given.help || !measure) {
    process.stdout.write(help);
    return 0;
  }
  const machine = thisMachine();
  const { results, report } = await measure(machine, rounds);
  process.stdout.write(json ? `${JSON.stringify({ machine, ...results })}\n` : report);
  if (write) await writeFile(new URL(`../results/${name}.md`, import.meta.url), report);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 2;
}
