/** `npm run bench --workspace bench -- predict`: measures and prints; with `--write` keeps the report in results/. */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { messageOf } from "@vedette/protocol/errors";
import { measureHttp } from "./http.ts";
import { measurePredict } from "./predict.ts";
import { reportOf, thisMachine } from "./report.ts";

const help = `npm run bench --workspace bench -- predict [options]

Measures the predict path, in process against bare session.run and over HTTP against JSON-only node:http. About 20 s.

  --json    one JSON object to stdout instead of the report
  --write   the report to bench/results/predict.md too
  --help

  npm run bench --workspace bench -- predict --json
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.join(" ") !== "predict") {
    process.stderr.write(`unknown measurement ${JSON.stringify(positionals.join(" "))}: say predict, or --help\n`);
    return 2;
  }
  const machine = thisMachine();
  const predict = await measurePredict({ rounds: 7, turnMs: 150 });
  const http = await measureHttp({ rounds: 7, turnMs: 400 });
  const report = reportOf(machine, predict, http);
  process.stdout.write(values.json ? `${JSON.stringify({ machine, predict, http })}\n` : report);
  if (values.write) await writeFile(new URL("../results/predict.md", import.meta.url), report);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
