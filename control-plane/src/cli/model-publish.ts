/** `vedette model publish`: from a model and its reference data to a signed version. Thin over publish/publish-model.ts. */
import { readFile } from "node:fs/promises";
import type { Manifest } from "@vedette/protocol/bundle";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import { type WhenFull, whenFull } from "@vedette/protocol/log-policy";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { type Command, Option } from "commander";
import { addDriftSetting } from "../publish/drift-settings.ts";
import { leastLatencyMs } from "../publish/latency.ts";
import { addLogRule } from "../publish/log-rules.ts";
import type { Proposed } from "../publish/propose-model.ts";
import type { DriftChoice } from "../publish/read-sources.ts";
import { contextOf } from "./context.ts";
import type { Io } from "./io.ts";
import { describePending } from "./keys.ts";
import { duration, fitting, integerFrom, list, moment, positive, share } from "./option-values.ts";
import { describeUnchanged, gateLines, nextAfterPublish } from "./publish-text.ts";
import { describeRelease } from "./release.ts";

interface PublishFlags {
  name: string;
  model: string;
  reference?: string;
  task?: "classification" | "regression" | "tensor";
  refuse?: string[];
  label?: string;
  evaluation?: string;
  features?: string[];
  classes?: string[];
  rules?: string;
  confidenceFloor?: number;
  cacheAge?: number;
  latencyMs?: number;
  memoryMib?: number;
  freshUntil?: string;
  trainedAt?: string;
  driftWindow?: number;
  drift?: DriftChoice;
  logInputs: boolean;
  log?: ReturnType<typeof addLogRule>;
  receipts: boolean;
  whenFull?: WhenFull;
  propose?: boolean;
}

export function addPublish(model: Command, io: Io): void {
  model
    .command("publish")
    .description("build, sign and publish a version of a model")
    .requiredOption("--name <name>", "the model's name; the first version makes it", fitting(modelName))
    .requiredOption("--model <file>", "the ONNX model")
    .option(
      "--reference <file>",
      "the data it was trained on, a CSV or a numpy array (.npy): types, ranges, categories and drift reference come from it",
    )
    .addOption(
      new Option("--task <task>", "what the outputs mean (default: as their shapes and answers say)").choices([
        "classification",
        "regression",
        "tensor",
      ]),
    )
    .option(
      "--refuse <a,b,c>",
      "fields for which a value outside what the data show falls back (default: it counts)",
      list,
    )
    .option("--label <column>", "the column that holds the right answers")
    .option(
      "--evaluation <file>",
      "a CSV of labelled rows that it was not trained on: the gate holds it against the champion by them (docs/guides/gate.md)",
    )
    .option(
      "--features <a,b,c>",
      "the columns that are the model's inputs, in its order (default: all numeric ones but the label)",
      list,
    )
    .option("--classes <a,b,c>", "the names of the classes, in the model's order", list)
    .option("--rules <file>", "JSON: what to answer when the model cannot be trusted (see below)")
    .option("--confidence-floor <share>", "below this confidence the fallback answers", share)
    .option("--cache-age <duration>", "how old an entity's last answer may be to stand in, as 1h", duration)
    .option(
      "--latency-ms <ms>",
      `latency budget of one answer (default: 20 times what it takes here, at least ${leastLatencyMs})`,
      positive,
    )
    .option(
      "--memory-mib <n>",
      "memory that it may take on a device, held to by the gate and by devices (default: 256 and 8 times its file)",
      integerFrom(16, 1_048_576),
    )
    .option("--trained-at <moment>", "when it was trained, for `vedette production` to tell", moment)
    .option("--fresh-until <moment>", "after this the model is stale and the fallback answers", moment)
    .option(
      "--drift-window <rows>",
      "predictions that one drift verdict looks at, 50 or more (default: a tenth of the reference, 50 to 256)",
      integerFrom(50, 1_000_000),
    )
    .option("--no-log-inputs", "devices keep the inputs to themselves")
    .option(
      "--log <what=rule>",
      "what devices log of inputs, entity, request, outputs or a field: full, sampled:RATE, hashed or none; may be given more than once",
      addLogRule,
    )
    .option(
      "--drift <setting=value>",
      "on-critical=fallback|report, critical=0.3 (shift from which drift is critical), window-seconds, arl, dead-zone, notice, drift; repeatable (docs/guides/drift.md)",
      addDriftSetting,
    )
    .option("--no-receipts", "predictions are logged without receipts, which cost about 4 µs of CPU each")
    .addOption(
      new Option("--when-full <policy>", "what goes when a device's spool is full (default: oldest)").choices(
        whenFull.options,
      ),
    )
    .option("--propose", "sign nothing: leave it to the gate and the project's signer (docs/guides/hands-free.md)")
    .addHelpText(
      "after",
      `
Rules, first match wins; without "when" it always matches (more in docs/guides/rules.md):
  [{"when": [{"field": "wind", "op": ">", "value": 4.5}], "answer": "rain", "confidence": 0.55},
   {"answer": "dry"}]
  op: < <= > >= == != with a value; missing, present without

Example:
  $ vedette model publish --name rain-gauge --model gauge.onnx --reference seattle.csv --label sky --cache-age 1h
  $ vedette model publish --name gate-camera --model cnn.onnx --reference frames.npy --classes open,shut

A model of images or sequences takes a numpy array, or no reference at all: then nothing can be said of drift.
See docs/guides/models.md for what may be exported how.
It ends with 0 once the version is published, whatever the gate says of it: a script asks vedette gate show --fail.`,
    )
    .action(async (flags: PublishFlags, command: Command) => {
      const context = contextOf(command, io);
      const rules = flags.rules === undefined ? undefined : await readRules(flags.rules);
      const api = await context.api();
      // onnxruntime and DuckDB take long to load, and only this command needs them.
      const { publishModel } = await import("../publish/publish-model.ts");
      const kernels = await loadKernelsNode();
      const what = {
        name: flags.name,
        modelFile: flags.model,
        referenceFile: flags.reference,
        task: flags.task,
        refuse: flags.refuse,
        label: flags.label,
        evaluationFile: flags.evaluation,
        features: flags.features,
        classes: flags.classes,
        rules,
        confidenceFloor: flags.confidenceFloor,
        cacheAgeMs: flags.cacheAge,
        latencyMs: flags.latencyMs,
        memoryBytes: flags.memoryMib === undefined ? undefined : flags.memoryMib * 2 ** 20,
        freshUntil: flags.freshUntil,
        trainedAt: flags.trainedAt,
        driftWindow: flags.driftWindow,
        drift: flags.drift,
        logInputs: flags.logInputs ? ("full" as const) : ("none" as const),
        log: {
          ...flags.log,
          receipts: flags.receipts,
          ...(flags.whenFull !== undefined && { whenFull: flags.whenFull }),
        },
      };
      const ports = { kernels, now: io.now, monotonic: io.monotonic };
      if (flags.propose) {
        const { proposeModel } = await import("../publish/propose-model.ts");
        const done = await proposeModel(what, api, await context.ring(), ports).catch((error: unknown) => {
          throw namingRules(error, flags.rules);
        });
        return context.answer(withoutBundle(done), describeProposed(done));
      }
      const done = await publishModel(what, api, await context.ring(), ports).catch((error: unknown) => {
        throw namingRules(error, flags.rules);
      });
      if (done.outcome === "pending") {
        const { bundle: _bundle, ...waiting } = done;
        return context.answer(waiting, describePending(done));
      }
      const { version, outcome, sentBytes, bundle } = done;
      const summary = bundle && {
        fields: bundle.manifest.input.fields.map((field) => field.name),
        output: bundle.manifest.output,
        limits: bundle.manifest.limits,
        metrics: bundle.metrics ?? null,
        notes: bundle.notes,
      };
      const gate = await api.gate(version.model, version.version);
      return context.answer(
        { outcome, version, sentBytes, ...summary, gate: { state: gate.state, why: gate.why } },
        outcome === "unchanged"
          ? describeUnchanged(gate)
          : `Published ${version.model} version ${version.version}, digest ${version.digest}.\n` +
              `  inputs   ${summary?.fields.join(", ")}\n` +
              `  task     ${describeOutput(summary?.output)}\n` +
              `${summary?.metrics ? `  on its training data: ${describeMetrics(summary.metrics)}\n` : ""}` +
              `${bundle ? `  budget   ${describeBudget(bundle.manifest)}\n` : ""}` +
              `  sent     ${sentBytes} bytes\n` +
              gateLines(gate) +
              `${(summary?.notes ?? []).map((note) => `  note: ${note}\n`).join("")}` +
              `Next: ${nextAfterPublish(gate)}\n`,
      );
    });
}

function withoutBundle(done: Proposed): object {
  if (done.outcome === "unchanged") return done;
  const { bundle, ...rest } = done;
  return { ...rest, notes: bundle.notes };
}

function describeProposed(done: Proposed): string {
  if (done.outcome === "unchanged") {
    return `This is ${done.version.model} version ${done.version.version} already; nothing to propose.\n`;
  }
  const { release, proposer, sentBytes } = done;
  return (
    `Proposed. ${describeRelease(release)}` +
    `  proposer ${proposer.name}: signers have to know its key (${proposer.file})\n` +
    `  sent     ${sentBytes} bytes\n` +
    `Next: vedette release show ${release.id}\n`
  );
}

async function readRules(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new VedetteError("not_found", `--rules ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new VedetteError("invalid_rules", `--rules ${path} is not JSON: ${messageOf(cause)}`, { cause });
  }
}

/** Rules are judged far from the option that named them. */
function namingRules(error: unknown, file: string | undefined): unknown {
  if (file === undefined || !(error instanceof VedetteError) || error.code !== "invalid_rules") return error;
  const message = `--rules ${file}: ${error.message} (docs/guides/rules.md has the format and an example)`;
  return new VedetteError("invalid_rules", message, { cause: error });
}

/** What an answer may take, and what the asker gets where it takes longer. */
function describeBudget({ limits, fallback }: Manifest): string {
  const ladder = [
    ...(fallback.cache ? ["the entity's last answer"] : []),
    ...(fallback.rules && fallback.rules.length > 0 ? ["the rules"] : []),
  ];
  const slower =
    ladder.length > 0 ? `slower ones are answered by ${ladder.join(", then ")}` : "no fallback: slower ones are 503";
  return `${limits.latencyMs} ms an answer; ${slower}${ladder.length > 0 ? "" : " (--rules, --cache-age)"}`;
}

function describeOutput(output: { task: string; classes?: readonly string[] } | undefined): string {
  return output?.classes ? `${output.task}: ${output.classes.join(", ")}` : (output?.task ?? "");
}

function describeMetrics(metrics: object): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${typeof value === "number" ? Number(value.toPrecision(4)) : "-"}`)
    .join(", ");
}
