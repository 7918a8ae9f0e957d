/** Checks request rows against the bundle's input schema, before anything else sees them. */
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
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
    const datatype = datatypes.get(field.tensor);
    const integer = datatype === "INT32" || datatype === "INT64";
    const bound = datatype === "INT32" ? 2 ** 31 : Number.MAX_SAFE_INTEGER;
    return {
      ...field,
      integer,
      bound,
      // An integer tensor has no way to say "missing".
      required: field.required || integer,
      min: field.min ?? Number.NEGATIVE_INFINITY,
      max: field.max ?? Number.POSITIVE_INFINITY,
    };
  });
  const width = fields.length;

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
    let refused: boolean[] | null = null;
    for (let i = 0, at = 0; i < n; i++) {
      for (let f = 0; f < width; f++, at++) {
        const value = rows[at] as number;
        const check = checks[f] as (typeof checks)[number];
        if (value >= check.min && value <= check.max && value - value === 0 && !check.integer) continue;
        if (Number.isNaN(value)) {
          if (check.required) throw wrong(check.name, i, "is missing, and it is required");
        } else if (!Number.isFinite(value)) throw wrong(check.name, i, `is ${value}: a finite number is expected`);
        else if (check.integer && !(Number.isInteger(value) && value >= -check.bound && value < check.bound)) {
          throw wrong(check.name, i, `is ${value}: an integer is expected`);
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

function wrong(field: string, row: number, what: string): VedetteError {
  return new VedetteError("invalid_input", `field ${field} of row ${row} ${what}`);
}
