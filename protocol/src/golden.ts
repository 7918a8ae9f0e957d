/**
 * Whether a graph answers its golden vectors: how the gate and every device prove that they compute what the publisher did.
 * Pure; whoever asks brings the graph.
 */
import { type GoldenVectors, goldenVectors, type Manifest } from "./bundle.ts";
import { fromBase64, fromUtf8 } from "./bytes.ts";
import { VedetteError } from "./errors.ts";
import { feederOfGraph, fixedBatchOf, sliceTensor } from "./feeds.ts";
import { buildInputs } from "./input-rows.ts";
import { type ModelInputs, rowLength, type Tensor, tensorArrays } from "./tensors.ts";

/** Values of the outputs asked for, flat and row-major; undefined where one did not come. */
export type GraphRun = (
  feeds: Readonly<Record<string, Tensor>>,
  outputs: readonly string[],
) => Promise<Readonly<Record<string, readonly (number | string)[] | undefined>>>;

export interface GoldenAgreement {
  /** The first value that is not as published, with its output; null where all are. */
  readonly wrong: string | null;
  /** Largest |got − want| of a number as a share of its tolerance: over 1 is wrong. */
  readonly share: number;
}

/** @throws VedetteError invalid_manifest where they are none, or do not fit the manifest. */
export function parseGolden(manifest: Manifest, bytes: Uint8Array<ArrayBuffer>): GoldenVectors {
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

/** The golden rows `from` to `to` as a request would have them. @throws VedetteError invalid_manifest. */
export function goldenInputs({ input }: Manifest, golden: GoldenVectors, from: number, to: number): ModelInputs {
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

/** Asks the graph all golden rows; ends at the first value that is wrong. @throws VedetteError as `run`, and invalid_manifest. */
export async function checkGolden(
  manifest: Manifest,
  golden: GoldenVectors,
  run: GraphRun,
  backend: string,
): Promise<GoldenAgreement> {
  const tolerance = golden.tolerance[backend];
  if (!tolerance) return { wrong: `there is no tolerance for ${backend}`, share: Number.POSITIVE_INFINITY };
  const wanted = Object.keys(golden.outputs);
  const count = golden.rows.length;
  const fixed = fixedBatchOf(manifest.runtime.inputs);
  const atOnce = fixed ?? count;
  const feed = feederOfGraph(manifest.runtime.inputs, manifest.input.fields);
  const label = manifest.output.task === "classification" ? manifest.output.label?.tensor : undefined;
  let most = 0;
  for (let first = 0; first < count; first += atOnce) {
    const rows = Math.min(atOnce, count - first);
    const got = await run(feed(goldenInputs(manifest, golden, first, first + rows), rows), wanted);
    for (const [name, values] of Object.entries(golden.outputs)) {
      const width = values.length / count;
      const want = values.slice(first * width, (first + rows) * width);
      const has = got[name];
      if (!has) return { wrong: `output ${name} did not come`, share: Number.POSITIVE_INFINITY };
      // A fixed batch may answer more rows than asked.
      if (has.length < want.length || (fixed === null && has.length > want.length)) {
        const wrong = `output ${name} has ${has.length} values, published were ${want.length}`;
        return { wrong, share: Number.POSITIVE_INFINITY };
      }
      for (const [i, wants] of want.entries()) {
        const off =
          has[i] === wants ? 0 : name === label ? Number.POSITIVE_INFINITY : shareOf(has[i], wants, tolerance);
        most = Math.max(most, off);
        if (off <= 1) continue;
        return { wrong: `output ${name}[${first * width + i}] is ${has[i]}, published was ${wants}`, share: most };
      }
    }
  }
  return { wrong: null, share: most };
}

/** NaN is within no tolerance, and no text within another. */
function shareOf(
  got: number | string | undefined,
  want: number | string,
  { absolute, relative }: { absolute: number; relative: number },
): number {
  if (typeof got !== "number" || typeof want !== "number") return Number.POSITIVE_INFINITY;
  const [off, most] = [Math.abs(got - want), absolute + relative * Math.abs(want)];
  if (!(off <= most))
    return Number.isNaN(off) || most === 0 ? Number.POSITIVE_INFINITY : Math.max(off / most, 1.000001);
  return most === 0 ? 0 : off / most;
}
