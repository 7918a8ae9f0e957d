/**
 * The reference data as the model is asked with it: from a CSV, whose columns are fields; from a numpy array, which is a
 * raw tensor; or from nothing but noise. Talks to csv-table.ts and npy.ts.
 */
import type { InputField, Manifest } from "@vedette/protocol/bundle";
import { statistics } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { joinTensors, sliceTensor } from "@vedette/protocol/feeds";
import { toHalf } from "@vedette/protocol/halves";
import { buildInputs } from "@vedette/protocol/input-rows";
import {
  isInteger,
  type ModelInputs,
  rowLength,
  type Tensor,
  type TensorSpec,
  tensorArrays,
} from "@vedette/protocol/tensors";
import { type ColumnChoice, chooseFields } from "./choose-fields.ts";
import type { CsvTable } from "./csv-table.ts";
import { columnField, settled, summaryRange } from "./input-schema.ts";
import { asInput, readNpy } from "./npy.ts";

/** Values of one field; NaN or null = missing. Undefined for what is told of a raw tensor. */
type Column = Float64Array | readonly (string | null)[] | undefined;
export interface Reference {
  readonly rows: number;
  readonly input: Manifest["input"];
  /** As the graph has them, with the widths that the fields give. */
  readonly graphInputs: readonly TensorSpec[];
  /** By field. */
  readonly columns: readonly Column[];
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Numbers that one row takes. */
  readonly width: number;
  /** What the model is asked with for these rows. */
  take(rows: readonly number[]): ModelInputs;
}

/** Rows of noise where there is no reference: enough to prove by. */
const noiseRows = 4;

/** @throws VedetteError invalid_csv where the columns do not fit the model's inputs. */
export async function fromTable(
  inputs: readonly TensorSpec[],
  table: CsvTable,
  choice: Omit<ColumnChoice, "columns"> & { refuse?: readonly string[] | undefined },
): Promise<Reference> {
  const deep = inputs.find(({ shape }) => shape.length > 2);
  if (deep) {
    throw new VedetteError(
      "invalid_csv",
      `input "${deep.name}" has shape [${deep.shape.join(", ")}], which no CSV holds: give --reference a numpy array of it (np.save), or none`,
    );
  }
  const places = chooseFields(inputs, { ...choice, columns: table.columns });
  const fields: InputField[] = [];
  const columns: Column[] = [];
  for (const place of places) {
    const { datatype } = inputs.find(({ name }) => name === place.tensor) as TensorSpec;
    const values = await readColumn(table, place.name, datatype);
    columns.push(values);
    fields.push(columnField(place, values, datatype, choice.refuse?.includes(place.name) ? "refuse" : "count"));
  }
  const stranger = choice.refuse?.find((name) => !places.some((place) => place.name === name));
  if (stranger !== undefined) {
    const known = places.map(({ name }) => name).join(", ");
    throw new VedetteError("invalid_argument", `--refuse names "${stranger}", and the model's fields are ${known}`);
  }
  const graphInputs = inputs.map((input) => settled(input, places));
  return referenceOf(table.rows, fields, graphInputs, columns, {});
}

async function readColumn(table: CsvTable, name: string, datatype: TensorSpec["datatype"]) {
  if (datatype === "BYTES") return table.texts(name);
  const column = table.columns.find((each) => each.name === name);
  if (column?.numeric || column?.boolean) return table.numbers(name);
  throw new VedetteError(
    "invalid_csv",
    `column "${name}" of ${table.path} holds no numbers, and the model takes numbers`,
  );
}

/** @throws VedetteError invalid_csv, unsupported where the model takes more than one array. */
export function fromArray(inputs: readonly TensorSpec[], bytes: Uint8Array, path: string): Reference {
  const [input, ...more] = inputs;
  if (!input || more.length > 0) {
    throw new VedetteError(
      "unsupported",
      `the model takes ${inputs.length} inputs, and an array is one: leave --reference out, or give a CSV`,
    );
  }
  const tensor = asInput(readNpy(bytes, path), input, path);
  return rawReference(inputs, { [input.name]: tensor }, tensor.shape[0] ?? 0, true);
}

/** Whole tensors of noise, the same at each publishing: only good to prove that a device computes alike. */
export function fromNoise(inputs: readonly TensorSpec[]): Reference {
  const texts = inputs.find(({ datatype }) => datatype === "BYTES");
  if (texts)
    throw new VedetteError(
      "invalid_argument",
      `input "${texts.name}" takes texts: give --reference a CSV that has them`,
    );
  let state = 1;
  // mulberry32, public domain.
  const unit = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const tensors = inputs.map(({ name, datatype, shape }): [string, Tensor] => {
    const sizes = shape.map((size, i) => (i === 0 ? noiseRows : size === -1 ? 8 : size));
    const Values = tensorArrays[datatype as Exclude<typeof datatype, "BYTES">];
    const data = new Values(noiseRows * rowLength(sizes));
    for (let i = 0; i < data.length; i++) {
      const value = unit();
      // Token ids and the like: small ones are in every vocabulary.
      if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(Math.round(value));
      else data[i] = isInteger(datatype) ? Math.round(value) : datatype === "FP16" ? toHalf(value) : value;
    }
    return [name, { datatype, shape: sizes, data }];
  });
  return rawReference(inputs, Object.fromEntries(tensors), noiseRows, false);
}

function rawReference(
  inputs: readonly TensorSpec[],
  tensors: Readonly<Record<string, Tensor>>,
  rows: number,
  real: boolean,
): Reference {
  const fields = inputs.flatMap(({ name: tensor }): InputField[] =>
    statistics.map((statistic) => ({
      kind: "summary",
      name: inputs.length === 1 ? statistic : `${tensor}_${statistic}`,
      tensor,
      statistic,
      required: true,
      outOfRange: "count",
    })),
  );
  const columns = fields.map(() => undefined);
  const draft = referenceOf(rows, fields, inputs, columns, tensors);
  if (!real) return draft;
  const all = draft.take(Array.from({ length: rows }, (_, row) => row)).rows;
  const ranged = fields.map((field, f) => ({ ...field, ...summaryRange(all, fields.length, f) }));
  return referenceOf(rows, ranged, inputs, columns, tensors);
}

function referenceOf(
  rows: number,
  fields: InputField[],
  graphInputs: readonly TensorSpec[],
  columns: readonly Column[],
  tensors: Readonly<Record<string, Tensor>>,
): Reference {
  const shown = graphInputs.map((spec) => ({ ...spec, shape: [-1, ...spec.shape.slice(1)] }));
  const input = { fields, tensors: shown };
  const raw = Object.entries(tensors);
  return {
    rows,
    input,
    graphInputs,
    columns,
    tensors,
    width: raw.reduce((sum, [, { shape }]) => sum + rowLength(shape), fields.length),
    take(wanted) {
      const some = raw.map(
        ([name, tensor]) => [name, joinTensors(wanted.map((row) => sliceTensor(tensor, row, row + 1)))] as const,
      );
      return buildInputs(
        input,
        wanted.length,
        (_, f, row) => columns[f]?.[wanted[row] as number] ?? null,
        Object.fromEntries(some),
      );
    },
  };
}
