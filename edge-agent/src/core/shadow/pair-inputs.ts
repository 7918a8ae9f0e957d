/**
 * From what the answering version was asked to what another is asked beside it: the same values under the same names,
 * whatever their order. Worked out once a pair.
 */
import type { InputField, Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { categoryCodes, rawTensors } from "@vedette/protocol/input-rows";
import { isWide, type ModelInputs, type Rows, type Tensor } from "@vedette/protocol/tensors";

/** Copies what was asked, as the other version takes it: the asker may use its memory again. */
export type PairInputs = (inputs: ModelInputs, n: number) => ModelInputs;

/** @throws VedetteError unsupported where the two cannot be asked the same, or answer different questions. */
export function pairInputsOf(answering: Manifest, beside: Manifest): PairInputs {
  const refuse = (why: string): never => {
    const what = `this version of ${beside.model} cannot be asked beside the one that answers`;
    throw new VedetteError("unsupported", `${what}: ${why}`);
  };
  if (answering.output.task !== beside.output.task) {
    refuse(`it is a ${beside.output.task}, and that one a ${answering.output.task}`);
  }
  for (const { name, datatype } of rawTensors(beside.input)) {
    const given = rawTensors(answering.input).find((tensor) => tensor.name === name);
    if (given?.datatype !== datatype) refuse(`nobody gives it the tensor ${name} as ${datatype}`);
  }
  const from = answering.input.fields;
  const to = beside.input.fields;
  const textsFrom = from.filter(({ kind }) => kind === "category");
  const textsTo = to.filter(({ kind }) => kind === "category");
  const columns = to.map((field) => {
    const at = from.findIndex(({ name, kind }) => name === field.name && kind === field.kind);
    if (at < 0 && field.required) refuse(`nobody gives it the field ${field.name}, which it requires`);
    return at;
  });
  const texts = textsTo.map(({ name }) => textsFrom.findIndex((field) => field.name === name));
  /** Places are among a version's own categories: its rows are coded anew from the texts. */
  const codes = to.map((field) => (field.kind === "category" ? categoryCodes(field) : null));
  const textOf = to.map((field) => textsTo.indexOf(field as (typeof textsTo)[number]));
  const Values = isWide(beside.input.tensors) ? Float64Array : Float32Array;
  const plain = sameFields(from, to);

  return ({ rows, texts: given = [], tensors }, n) => {
    const mapped: Rows = new Values(n * to.length);
    const told = Array.from({ length: n * texts.length }, (_, i) => {
      const at = texts[i % texts.length] as number;
      return at < 0 ? null : (given[Math.floor(i / texts.length) * textsFrom.length + at] ?? null);
    });
    if (plain) mapped.set(rows);
    else {
      for (let row = 0; row < n; row++) {
        for (const [f, at] of columns.entries()) {
          const code = codes[f];
          const text = code ? told[row * texts.length + (textOf[f] as number)] : null;
          const value = at < 0 ? Number.NaN : (rows[row * from.length + at] as number);
          mapped[row * to.length + f] = code ? (text === null || text === undefined ? Number.NaN : code(text)) : value;
        }
      }
    }
    return {
      rows: mapped,
      ...(texts.length > 0 && { texts: told }),
      ...(tensors && { tensors: copies(tensors) }),
    };
  };
}

/** Whether rows of the one are rows of the other. */
function sameFields(from: readonly InputField[], to: readonly InputField[]): boolean {
  return (
    from.length === to.length &&
    to.every((field, i) => from[i]?.name === field.name && from[i]?.kind === field.kind && field.kind !== "category")
  );
}

function copies(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]),
  );
}

/** Bytes that kept inputs take, about. */
export function bytesOf({ rows, texts = [], tensors = {} }: ModelInputs): number {
  let bytes = rows.byteLength;
  for (const text of texts) bytes += 2 * (text?.length ?? 0) + 16;
  for (const { data } of Object.values(tensors)) bytes += "byteLength" in data ? data.byteLength : 64 * data.length;
  return bytes;
}
