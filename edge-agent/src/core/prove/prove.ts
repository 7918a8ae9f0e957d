/**
 * Proves that a model does here what it did where it was published: it loads, its graph has the signed signature, its
 * golden vectors come out within tolerance, and it is fast enough. Between `receive` and `serve`; again, in short, at each
 * boot. Where the platform has a `Prover`, the first proof is made apart, in a process that may be ended.
 */
import type { GoldenVectors, Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { checkGolden, type GraphRun, goldenInputs, parseGolden } from "@vedette/protocol/golden";
import { fromHalf } from "@vedette/protocol/halves";
import type { Tensor, TensorSpec } from "@vedette/protocol/tensors";
import type { Backend, Clock, Session } from "../ports.ts";
import { feederOf } from "../serve/feeds.ts";

const warmUpRuns = 3;
const timedRuns = 11;

export interface ProveOptions {
  readonly manifest: Manifest;
  /** A verified file of the bundle. */
  readonly file: (path: string) => Promise<Uint8Array<ArrayBuffer>>;
  readonly backend: Backend;
  readonly clock: Pick<Clock, "monotonic">;
  /** At boot the latency is not measured again: the machine is busy starting, and probation and service watch it. */
  readonly quick?: boolean;
}

/**
 * @returns the loaded, warmed session; the caller releases it.
 * @throws VedetteError invalid_model (it does not load, or is not the graph of the manifest), model_failed, proof_failed
 *   (what differed from the golden vectors or the latency budget), invalid_manifest (golden vectors that are none).
 */
export async function prove(options: ProveOptions): Promise<Session> {
  const { manifest, file, backend, clock } = options;
  const golden = parseGolden(manifest, await file(manifest.golden.file));
  const session = await backend.load(await file(manifest.runtime.file));
  try {
    checkSignature(manifest, session);
    await compareGolden(manifest, golden, session, backend.name);
    if (!options.quick) await checkLatency(manifest, golden, session, clock);
    return session;
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** Whether a loaded version still answers its golden vectors. @throws VedetteError proof_failed, model_failed. */
export async function answersGolden(
  { manifest, session }: { manifest: Manifest; session: Session },
  goldenBytes: Uint8Array<ArrayBuffer>,
  backend: Backend["name"],
): Promise<void> {
  await compareGolden(manifest, parseGolden(manifest, goldenBytes), session, backend);
}

/** The files that a proof reads, for one that is made apart. @throws VedetteError as `file`. */
export async function filesOfProof(
  { golden, runtime }: Manifest,
  file: ProveOptions["file"],
): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  return { [golden.file]: await file(golden.file), [runtime.file]: await file(runtime.file) };
}

/** These files, read again where the proof is made. @throws VedetteError not_found where one is not among them. */
export function givenFiles({ model }: Manifest, files: Awaited<ReturnType<typeof filesOfProof>>): ProveOptions["file"] {
  return async (path) => {
    const bytes = files[path];
    if (bytes) return bytes;
    throw new VedetteError("not_found", `the proof of ${model} was given no file ${path}`);
  };
}

function checkSignature({ model, runtime }: Manifest, session: Session): void {
  const same = (want: TensorSpec, got: TensorSpec) =>
    got.datatype === want.datatype &&
    got.shape.length === want.shape.length &&
    // A graph may leave open what the manifest fixes.
    got.shape.every((size, i) => size === -1 || size === want.shape[i]);
  const check = (kind: string, wanted: readonly TensorSpec[], given: readonly TensorSpec[]) => {
    for (const want of wanted) {
      const got = given.find((each) => each.name === want.name);
      if (got && same(want, got)) continue;
      const has = got ? describe(got) : `only ${given.map((each) => each.name).join(", ") || "none"}`;
      const why = `the manifest of ${model} says ${kind} ${describe(want)}, the graph has ${has}`;
      throw new VedetteError("invalid_model", `${why}: publish the model again`);
    }
  };
  check("input", runtime.inputs, session.inputs);
  check("output", runtime.outputs, session.outputs);
  // An input that nobody feeds would fail every request; outputs beyond the manifest are never asked for.
  const extra = session.inputs.find((each) => !runtime.inputs.some((want) => want.name === each.name));
  if (extra) {
    throw new VedetteError(
      "invalid_model",
      `the graph of ${model} has an input ${describe(extra)} unknown to its manifest`,
    );
  }
}

async function compareGolden(
  manifest: Manifest,
  golden: GoldenVectors,
  session: Session,
  backend: Backend["name"],
): Promise<void> {
  const run: GraphRun = async (feeds, outputs) => {
    const got = await session.run(feeds, outputs);
    return Object.fromEntries(Object.entries(got).map(([name, tensor]) => [name, valuesOf(tensor)]));
  };
  const { wrong } = await checkGolden(manifest, golden, run, backend);
  if (wrong === null) return;
  const why = `${manifest.model} on ${backend}: ${wrong}`;
  throw new VedetteError("proof_failed", `${why}: it does not answer here as it did where it was published`);
}

async function checkLatency(
  manifest: Manifest,
  golden: GoldenVectors,
  session: Session,
  clock: Pick<Clock, "monotonic">,
): Promise<void> {
  const feeds = feederOf(manifest)(goldenInputs(manifest, golden, 0, 1), 1);
  const outputs = Object.keys(golden.outputs);
  for (let i = 0; i < warmUpRuns; i++) await session.run(feeds, outputs);
  const times: number[] = [];
  for (let i = 0; i < timedRuns; i++) {
    const start = clock.monotonic();
    await session.run(feeds, outputs);
    times.push(clock.monotonic() - start);
  }
  const median = times.sort((a, b) => a - b)[Math.floor(timedRuns / 2)] ?? 0;
  const { latencyMs } = manifest.limits;
  if (median <= latencyMs) return;
  const why = `one row takes ${median.toFixed(2)} ms here, over the budget of ${latencyMs} ms: raise it, or use a smaller model`;
  throw new VedetteError("proof_failed", `${manifest.model}: ${why}`);
}

function valuesOf({ datatype, data }: Tensor): (number | string)[] {
  return Array.from(data as ArrayLike<number | bigint | string>, (value) => {
    if (datatype === "FP16") return fromHalf(value as number);
    return typeof value === "bigint" ? Number(value) : value;
  });
}

function describe(spec: TensorSpec): string {
  return `${spec.name} ${spec.datatype}[${spec.shape.join(",")}]`;
}
