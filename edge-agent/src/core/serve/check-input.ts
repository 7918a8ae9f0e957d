/** Checks request rows against the bundle's input schema, before anything else sees them. */
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { rawTensors } from "@vedette/protocol/input-rows";
import { isInteger, numberBounds, type Tensor, type TensorSpec } from "@vedette/protocol/tensors";
import type { PredictRequest } from "../agent.ts";

interface CheckedInput {
  /** Rows. */
  readonly n: number;
  /** Rows that the schema refuses; null where it refuses none. */
  readonly refused: readonly boolean[] | null;
}
/** [fields]; built once a version, so that a request costs no search. */
export type InputCheck = (request: PredictRequest, outOfRange: Record<string, number>) => CheckedInput;

const maxText = 256;
/** ms from 1970; what a date can be in JavaScript. */
const maxTime = 8.64e15;

/** Texts that go into the log with each row. @throws VedetteError invalid_input. */
export function checkTexts(request: PredictRequest): void {
  checkText("entity", request.entity);
  checkText("requestId", request.requestId);
  // One row with a time that is no date would have its whole batch, and so the rows of others, refused above.
  const { eventTime = 0 } = request;
  if (!(Math.abs(eventTime) <= maxTime)) {
    throw new VedetteError("invalid_input", `the event time ${eventTime} is no date: UTC milliseconds are expected`);
  }
}

function checkText(name: string, text: string | undefined): void {
  if (text === undefined || (text.length > 0 && text.length <= maxText)) return;
  throw new VedetteError("invalid_input", `${name} has ${text.length} characters: 1 to ${maxText} are expected`);
}

/**
 * The check of one version. It counts values outside their ranges by field in `outOfRange`.
 * Its answers throw VedetteError invalid_input naming field, row and what was expected.
 */
export function inputCheckOf(manifest: Manifest): InputCheck {
  const { fields } = manifest.input;
  const datatypes = new Map(manifest.runtime.inputs.map(({ name, datatype }) => [name, datatype]));
  const checks = fields.map((field) => {
    const datatype = field.kind === "number" ? datatypes.get(field.tensor) : undefined;
    const integer = datatype !== undefined && isInteger(datatype);
    // Categories are checked as their places: one that is not known is just past the last.
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } =
      field.kind === "category" ? { min: 0, max: field.categories.length - 1 } : field;
    const [least, most] = numberBounds[!datatype || datatype === "BYTES" ? "FP64" : datatype];
    return {
      name: field.name,
      outOfRange: field.outOfRange,
      summary: field.kind === "summary",
      datatype,
      least,
      most,
      // Where every number fits, the range is all there is to look at.
      narrow: integer || datatype === "FP16",
      integer,
      // An integer tensor has no way to say "missing".
      required: field.required || integer,
      min,
      max,
    };
  });
  const width = fields.length;
  const categories = fields.filter(({ kind }) => kind === "category").length;
  const raw = rawTensors(manifest.input);

  return (request, outOfRange) => {
    const { rows } = request;
    if (rows.length === 0 || rows.length % width !== 0) {
      throw new VedetteError(
        "invalid_input",
        `${rows.length} values do not make rows of ${width} (${fields
          .map(({ name }) => name)
          .join(", ")
          .slice(0, 200)}): send a multiple of ${width}`,
      );
    }
    const n = rows.length / width;
    checkTextCount(request, n, categories);
    for (const spec of raw) checkRaw(request.tensors?.[spec.name], spec, n);
    let refused: boolean[] | null = null;
    for (let i = 0, at = 0; i < n; i++) {
      for (let f = 0; f < width; f++, at++) {
        const value = rows[at] as number;
        const check = checks[f] as (typeof checks)[number];
        if (value >= check.min && value <= check.max && value - value === 0 && !check.narrow) continue;
        if (Number.isNaN(value)) {
          const what = check.summary ? "is NaN: a raw tensor has no missing values" : "is missing, and it is required";
          if (check.required) throw wrong(check.name, i, what);
        } else if (!Number.isFinite(value)) throw wrong(check.name, i, `is ${value}: a finite number is expected`);
        else if (check.integer && !Number.isInteger(value)) {
          throw wrong(check.name, i, `is ${value}: an integer is expected`);
        } else if (value < check.least || value > check.most) {
          throw wrong(check.name, i, `is ${value}: ${check.datatype} holds ${check.least} to ${check.most}`);
        } else if (value < check.min || value > check.max) {
          outOfRange[check.name] = (outOfRange[check.name] ?? 0) + 1;
          if (check.outOfRange === "refuse") {
            refused ??= new Array<boolean>(n).fill(false);
            refused[i] = true;
          }
        }
      }
    }
    return { n, refused };
  };
}

/** A caller in process may forget what is no number. */
function checkTextCount({ texts = [] }: PredictRequest, n: number, categories: number): void {
  if (texts.length === n * categories) return;
  const want = `${n} rows of ${categories} categories`;
  throw new VedetteError("invalid_input", `${texts.length} texts came beside the rows: ${want} are expected`);
}

function checkRaw(tensor: Tensor | undefined, { name, datatype, shape }: TensorSpec, n: number): void {
  if (!tensor) throw new VedetteError("invalid_input", `input tensor ${name} is missing`);
  const fits =
    tensor.datatype === datatype &&
    tensor.shape.length === shape.length &&
    tensor.shape[0] === n &&
    shape.every((size, i) => i === 0 || size === -1 || size === tensor.shape[i]) &&
    tensor.data.length === tensor.shape.reduce((product, size) => product * size, 1);
  if (fits) return;
  const got = `${tensor.datatype} [${tensor.shape.join(", ")}] of ${tensor.data.length} values`;
  const want = `${datatype} [${[n, ...shape.slice(1)].join(", ")}]`;
  throw new VedetteError("invalid_input", `input tensor ${name} is ${got}: ${want} is expected`);
}

function wrong(field: string, row: number, what: string): VedetteError {
  return new VedetteError("invalid_input", `field ${field} of row ${row} ${what}`);
}
