/** `npm run bench --workspace bench -- NAME`: measures and prints; with `--write` keeps the report in results/. */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { messageOf } from "@vedette/protocol/errors";
import { measureDelivery } from "./fleet/delivery.ts";
import { measureIdle } from "./fleet/idle.ts";
import { measureIngest } from "./fleet/ingest.ts";
import { deliveryReport, idleReport, ingestReport } from "./fleet/report.ts";
import { measureHttp } from "./http.ts";
import { measureKernels } from "./kernels/measure.ts";
import { kernelsReport } from "./kernels/report.ts";
import { measurePredict } from "./predict.ts";
import { predictReport } from "./predict-report.ts";
import { type Machine, thisMachine } from "./report-format.ts";
import { measureRollback } from "./rollouts/rollback.ts";
import { rollbackReport } from "./rollouts/rollback-report.ts";
import { measureRollouts, type RolloutsOptions } from "./rollouts/rollouts.ts";
import { modelKinds } from "./serving/models.ts";
import { isThere, serverNames } from "./serving/servers.ts";
import { measureServing } from "./serving/serving.ts";
import { budgetConnections, servingReport } from "./serving/serving-report.ts";
import { measureVerdicts, type VerdictsOptions } from "./verdicts/command.ts";

const help = `npm run bench --workspace bench -- NAME [options]

  predict    the predict path, in process against bare session.run, and over HTTP against JSON-only node:http; 20 s
  serving    the agent's HTTP beside MLServer, BentoML, LitServe, bare Starlette and JSON-only node:http, three models;
             6 min. The Python ones need bench/peers/make.sh first, and are left out where it has not been run.
  ingest     durable predictions a second, beside a synced file and bare aedes; 1 min
  delivery   5 MiB to 200 devices beside bare subscribers, and a model of which 1 % changed; 1 min
  idle       memory of a control plane with 10,000 idle devices; needs 10,100 open files a process; 2 min

  verdicts   false alarms and delays of drift detectors: ours, alibi-detect, river, evidently, frouros, and one that always
             fires. An hour for everything; what has been run is kept, and not run again. Peers as with serving.
  rollouts   how releases are judged: wrong promotions and rollbacks, hours to decide, by the real engine on generated evidence,
             beside a fixed-horizon test, Flagger's threshold and Kayenta's Mann–Whitney judge; and with real agent cores; an
             hour. What has been run is kept, and not run again by the same commit.
  rollback   a bad version on 1,000 simulated devices with the real agent core: until each is back; 5 min
  kernels    drift statistics: WebAssembly with SIMD and without, and the native build where there is one, beside plain
             JavaScript, numpy and scipy; 2 min

  --json    one JSON object to stdout instead of the report
  --write   the report to bench/results/NAME.md too
  --rounds  of serving: how often each server has its turn, 3 where not said; its medians are over them
  --cells   of verdicts and rollouts: only those whose name contains this, as --cells "iid 10k" or --cells "null ar.5 10k,ar.5"
  --streams of verdicts: how many of each cell, 200 where not said; 0 only judges what has been run
  --count   of rollouts: how many of each cell, 1000 where not said
  --agents  of rollouts: how many of each cell with real agent cores, 20 where not said
  --devices of rollback: 1000 where not said
  --detectors of verdicts: names with commas between, as --detectors vedette-bank,river-adwin; all where not said
  --help

  npm run bench --workspace bench -- ingest --json

Exit code: 0 measured, whether or not budgets are met; 1 wrong arguments; 2 it could not be measured.
`;

/** What was measured, as an object and as text. */
interface Measured {
  readonly results: object;
  readonly report: string;
  /** Pictures that the report shows, by file name. */
  readonly files?: Readonly<Record<string, string>>;
}

interface Options extends VerdictsOptions, RolloutsOptions {
  readonly rounds: number;
  readonly devices: number;
}

async function serving(machine: Machine, { rounds }: Options): Promise<Measured> {
  const servers = serverNames.filter(isThere);
  const missing = serverNames.filter((name) => !isThere(name));
  if (missing.length > 0) process.stderr.write(`left out, for want of bench/peers/make.sh: ${missing.join(", ")}\n`);
  const connections = [1, 8, budgetConnections, 64];
  const results = await measureServing({ servers, models: modelKinds, connections, rounds, turnMs: 1000 });
  return { results: { serving: results }, report: servingReport(machine, results, rounds) };
}

const measurements: Readonly<Record<string, (machine: Machine, options: Options) => Promise<Measured>>> = {
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
  verdicts: measureVerdicts,
  rollouts: measureRollouts,
  async rollback(machine, { devices }) {
    const rollback = await measureRollback(devices, (text) => process.stderr.write(`${text}\n`));
    return { results: { rollback }, report: rollbackReport(machine, rollback) };
  },
  async kernels(machine) {
    const kernels = await measureKernels({ rounds: 5, turnMs: 150 });
    return { results: { kernels }, report: kernelsReport(machine, kernels) };
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
      cells: { type: "string", default: "" },
      streams: { type: "string", default: "200" },
      count: { type: "string", default: "1000" },
      agents: { type: "string", default: "20" },
      devices: { type: "string", default: "1000" },
      detectors: { type: "string", default: "" },
    },
  });
  const name = positionals.join(" ");
  const measure = Object.hasOwn(measurements, name) ? measurements[name] : undefined;
  if (!values.help && !measure) {
    throw new TypeError(
      `unknown measurement ${JSON.stringify(name)}: say one of ${Object.keys(measurements).join(", ")}`,
    );
  }
  const least = { rounds: 1, streams: 0, count: 0, agents: 0, devices: 1 };
  const numbers = Object.fromEntries(
    Object.entries(least).map(([option, from]) => {
      const given = values[option as keyof typeof least];
      const number = Number(given);
      if (!Number.isInteger(number) || number < from)
        throw new TypeError(`--${option} is a number from ${from} up, not ${JSON.stringify(given)}`);
      return [option, number];
    }),
  ) as typeof least;
  return { ...values, options: { ...values, ...numbers }, name, measure };
}

async function main(): Promise<number> {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}; --help shows an example\n`);
    return 1;
  }
  const { name, measure, options, json, write } = given;
  if (given.help || !measure) {
    process.stdout.write(help);
    return 0;
  }
  const machine = thisMachine();
  const { results, report, files = {} } = await measure(machine, options);
  process.stdout.write(json ? `${JSON.stringify({ machine, ...results })}\n` : report);
  if (write) {
    for (const [file, content] of Object.entries({ [`${name}.md`]: report, ...files })) {
      await writeFile(new URL(`../results/${file}`, import.meta.url), content);
    }
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 2;
}
