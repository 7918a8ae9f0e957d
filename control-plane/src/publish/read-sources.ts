/** What a bundle is built from: the operator's words, and the files they name. */
import { readFile } from "node:fs/promises";
import { bundleFormat, type Manifest, type OutputSchema } from "@vedette/protocol/bundle";
import { currentCapability } from "@vedette/protocol/capability";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { LogPolicy } from "@vedette/protocol/log-policy";
import { sha256 } from "../sha256.ts";
import { isNpy } from "./npy.ts";

/** What an operator may say of the drift policy. */
export type DriftChoice = Partial<
  Pick<Manifest["drift"], "windowSeconds" | "arl" | "deadZone" | "notice" | "drift" | "critical" | "onCritical">
>;

/** What an operator says about a model. */
export interface ModelDescription {
  readonly name: string;
  readonly modelFile: string;
  /** A CSV, or a numpy array of what the model takes; undefined: it is published without, and proven with noise. */
  readonly referenceFile?: string | undefined;
  readonly task?: OutputSchema["task"] | undefined;
  /** A CSV of labelled rows that the model was not trained on, for the gate. */
  readonly evaluationFile?: string | undefined;
  /** Fields for which a value outside what the data show falls back. */
  readonly refuse?: readonly string[] | undefined;
  readonly label?: string | undefined;
  readonly features?: readonly string[] | undefined;
  readonly classes?: readonly string[] | undefined;
  /** Parsed JSON of the rules file. */
  readonly rules?: unknown;
  readonly confidenceFloor?: number | undefined;
  readonly cacheAgeMs?: number | undefined;
  readonly latencyMs?: number | undefined;
  /** That it may take at most. */
  readonly memoryBytes?: number | undefined;
  /** ISO date-time. */
  readonly freshUntil?: string | undefined;
  /** When the model was trained, as ISO date-time; files do not say. */
  readonly trainedAt?: string | undefined;
  /** Rows, 50 or more. */
  readonly driftWindow?: number | undefined;
  /** What of the drift policy is not as it is where nothing is said. */
  readonly drift?: DriftChoice | undefined;
  readonly logInputs: "full" | "none";
  /** Rules beyond that, as `--log` gives them. */
  readonly log?: Omit<LogPolicy, "inputs" | "salt"> & { readonly inputs?: LogPolicy["inputs"] };
}

export interface BundleSources {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly modelSha256: string;
  /** The reference file itself where it is an array. */
  readonly array: Uint8Array<ArrayBuffer> | undefined;
  readonly referenceSha256: string | undefined;
  /** Equal for equal sources and words: what makes publishing twice a no-op. */
  readonly recipe: string;
}

/** @throws VedetteError not_found where a file cannot be read. */
export async function readSources(what: ModelDescription, kernelAbi: number): Promise<BundleSources> {
  const [model, reference, evaluation] = await Promise.all([
    readOrFail(what.modelFile, "model"),
    what.referenceFile === undefined ? undefined : readOrFail(what.referenceFile, "reference data"),
    what.evaluationFile === undefined ? undefined : readOrFail(what.evaluationFile, "evaluation data"),
  ]);
  const array = reference && isNpy(reference) ? reference : undefined;
  if (!array) refuseSwapped(what, model, reference);
  const modelSha256 = sha256(model);
  const referenceSha256 = reference && sha256(reference);
  const said = [
    [bundleFormat, currentCapability, kernelAbi, modelSha256, referenceSha256, what.name],
    [what.label, what.features, what.classes, what.rules],
    [what.confidenceFloor, what.cacheAgeMs, what.latencyMs, what.freshUntil, what.driftWindow, what.logInputs],
    what.trainedAt,
    ...(what.log ? [what.log] : []),
    ...(what.drift ? [["drift", what.drift]] : []),
    ...(evaluation ? [["evaluation", sha256(evaluation)]] : []),
    ...(what.memoryBytes === undefined ? [] : [["memory", what.memoryBytes]]),
    ...(what.task || what.refuse ? [[what.task, what.refuse]] : []),
  ];
  return { model, modelSha256, array, referenceSha256, recipe: sha256(JSON.stringify(said)) };
}

/** Both are files given by name, and easily confused: a CSV holds no NUL, and no ONNX model is text throughout. */
function refuseSwapped(what: ModelDescription, model: Uint8Array, reference: Uint8Array | undefined): void {
  if (reference?.subarray(0, 65_536).includes(0)) {
    throw new VedetteError(
      "invalid_csv",
      `--reference ${what.referenceFile} is a binary file and no CSV: are --model and --reference swapped?`,
    );
  }
  const text = (byte: number) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
  if (model.length > 0 && model.subarray(0, 65_536).every(text)) {
    throw new VedetteError(
      "invalid_model",
      `--model ${what.modelFile} is text and no ONNX model: are --model and --reference swapped?`,
    );
  }
}

async function readOrFail(path: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new VedetteError("not_found", `the ${what} ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
