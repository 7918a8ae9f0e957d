/**
 * Proves that a model does here what it did where it was published: it loads, its graph has the signed signature, its
 * golden vectors come out within tolerance, and it is fast enough. Between `receive` and `serve`; again, in short, at each
 * boot. Where the platform has a `Prover`, the first proof is made apart, in a process that may be ended.
 */
import { type GoldenVectors, goldenVectors, type Manifest } from "@vedette/protocol/bundle";
import { fromBase64, fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { sliceTensor } from "@vedette/protocol/feeds";
import { fromHalf } from "@vedette/protocol/halves";
import { buildInputs } from "@vedette/protocol/input-rows";
import { type ModelInputs, rowLength, type Tensor, type TensorSpec, tensorArrays } from "@vedette/protocol/tensors";
import type { Backend, Clock, Session } from "../ports.ts";
import { feederOf, fixedBatch } from "../serve/feeds.ts";

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
    await checkGolden(manifest, golden, session, backend.name);
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
  await checkGolden(manifest, parseGolden(manifest, goldenBytes), session, backend);
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

function parseGolden(manifest: Manifest, bytes: Uint8Array<ArrayBuffer>): GoldenVectors {
  const where = `golden vectors ${manifest.golden.file} of ${manifest.model}`;
  let golden: GoldenVectors;
  try {
    golden = goldenVectors.parse(JSON.parse(fromUtf8(bytes)));
  } catch (cause) {
    throw new VedetteError("invalid_manifest", `the ${where} do not fit their schema: publish the model again`, {
      cause,
    });
  }
  const width = manifest.input.fields.length;
  const wrong = golden.rows.findIndex((row) => row.length !== width);
  if (wrong >= 0) {
    throw new VedetteError(
      "invalid_manifest",
      `row ${wrong} of the ${where} has not ${width} fields: publish it again`,
    );
  }
  const uneven = Object.keys(golden.outputs).find((name) => (golden.outputs[name]?.length ?? 0) % golden.rows.length);
  if (uneven !== undefined) {
    const rows = `${golden.rows.length} rows`;
    throw new VedetteError(
      "invalid_manifest",
      `output ${uneven} of the ${where} does not fit ${rows}: publish it again`,
    );
  }
  const short = Object.entries(golden.tensors ?? {}).find(([, { shape }]) => shape[0] !== golden.rows.length);
  if (short)
    throw new VedetteError("invalid_manifest", `tensor ${short[0]} of the ${where} has other rows: publish it again`);
  return golden;
}

/** The golden rows `from` to `to` as a request would have them. */
function inputsOf({ input }: Manifest, golden: GoldenVectors, from: number, to: number): ModelInputs {
  const tensors = Object.entries(golden.tensors ?? {}).map(([name, tensor]): [string, Tensor] => [
    name,
    sliceTensor(tensorOf(tensor), from, to),
  ]);
  const read = (_: unknown, place: number, row: number) => golden.rows[from + row]?.[place] ?? null;
  return buildInputs(input, to - from, read, Object.fromEntries(tensors));
}

/** @throws VedetteError invalid_manifest where the bytes are not the tensor's. */
function tensorOf({ datatype, shape, data }: NonNullable<GoldenVectors["tensors"]>[string]): Tensor {
  const bytes = fromBase64(data);
  const Values = datatype === "BYTES" ? undefined : tensorArrays[datatype];
  const length = (shape[0] ?? 0) * rowLength(shape) * (Values?.BYTES_PER_ELEMENT ?? 0);
  if (Values && bytes.length === length) return { datatype, shape, data: new Values(bytes.buffer) };
  throw new VedetteError(
    "invalid_manifest",
    `a golden tensor has ${bytes.length} bytes of ${length}: publish the model again`,
  );
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

async function checkGolden(
  manifest: Manifest,
  golden: GoldenVectors,
  session: Session,
  backend: Backend["name"],
): Promise<void> {
  const wanted = Object.keys(golden.outputs);
  const count = golden.rows.length;
  const atOnce = fixedBatch(manifest) ?? count;
  const feed = feederOf(manifest);
  for (let first = 0; first < count; first += atOnce) {
    const rows = golden.rows.slice(first, first + atOnce);
    const got = await session.run(feed(inputsOf(manifest, golden, first, first + rows.length), rows.length), wanted);
    for (const [name, values] of Object.entries(golden.outputs)) {
      const width = values.length / count;
      const want = values.slice(first * width, (first + rows.length) * width);
      const wrong = difference(manifest, backend, golden, name, want, got[name], first * width);
      if (!wrong) continue;
      const why = `${manifest.model} on ${backend}: output ${name}${wrong}`;
      throw new VedetteError("proof_failed", `${why}: it does not answer here as it did where it was published`);
    }
  }
}

/** What the first value is that is not as published; null where all are. A fixed batch may answer more rows than asked. */
function difference(
  manifest: Manifest,
  backend: Backend["name"],
  golden: GoldenVectors,
  name: string,
  want: readonly (number | string)[],
  got: Tensor | undefined,
  offset: number,
): string | null {
  if (!got) return " did not come";
  if (got.data.length < want.length || (!fixedBatch(manifest) && got.data.length > want.length)) {
    return ` has ${got.data.length} values, published were ${want.length}`;
  }
  const tolerance = golden.tolerance[backend];
  if (!tolerance) return `: there is no tolerance for ${backend}`;
  const exact = manifest.output.task === "classification" && manifest.output.label?.tensor === name;
  for (const [i, wants] of want.entries()) {
    const has = valueAt(got, i);
    if (has === wants || (!exact && within(has, wants, tolerance))) continue;
    return `[${offset + i}] is ${has}, published was ${wants}`;
  }
  return null;
}

/** NaN is within no tolerance. */
function within(
  got: number | string,
  want: number | string,
  { absolute, relative }: { absolute: number; relative: number },
): boolean {
  if (typeof got !== "number" || typeof want !== "number") return false;
  return Math.abs(got - want) <= absolute + relative * Math.abs(want);
}

async function checkLatency(
  manifest: Manifest,
  golden: GoldenVectors,
  session: Session,
  clock: Pick<Clock, "monotonic">,
): Promise<void> {
  const feeds = feederOf(manifest)(inputsOf(manifest, golden, 0, 1), 1);
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

function valueAt(tensor: Tensor, i: number): number | string {
  const value = tensor.data[i];
  if (value === undefined) return Number.NaN;
  if (tensor.datatype === "FP16") return fromHalf(value as number);
  return typeof value === "bigint" ? Number(value) : value;
}

function describe(spec: TensorSpec): string {
  return `${spec.name} ${spec.datatype}[${spec.shape.join(",")}]`;
}
