/** Requests put together to be one run's inputs, and inputs cut into runs. Pure. */
import { joinTensors, sliceTensor } from "@vedette/protocol/feeds";
import type { ModelInputs, Rows, Tensor } from "@vedette/protocol/tensors";

interface Asked {
  readonly request: ModelInputs;
}

/** Requests' inputs one after the other. @param group of one shape; a request that is alone is its own inputs, not a copy. */
export function joinInputs(group: readonly Asked[]): ModelInputs {
  const [first] = group;
  if (first && group.length === 1) return first.request;
  const rows = joinRows(group);
  const texts = first?.request.texts && group.flatMap(({ request }) => request.texts ?? []);
  const tensors =
    first?.request.tensors &&
    each(first.request.tensors, (_, name) =>
      joinTensors(group.map(({ request }) => request.tensors?.[name] as Tensor)),
    );
  return { rows, ...(texts && { texts }), ...(tensors && { tensors }) };
}

/** The rows `from` to `to`. @param fields of a row. */
export function sliceInputs(inputs: ModelInputs, from: number, to: number, fields: number): ModelInputs {
  const { rows, texts, tensors } = inputs;
  const categories = texts ? texts.length / (rows.length / fields) : 0;
  return {
    rows: rows.subarray(from * fields, to * fields),
    ...(texts && { texts: texts.slice(from * categories, to * categories) }),
    ...(tensors && { tensors: each(tensors, (tensor) => sliceTensor(tensor, from, to)) }),
  };
}

function each(
  tensors: Readonly<Record<string, Tensor>>,
  make: (tensor: Tensor, name: string) => Tensor,
): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, make(tensor, name)]));
}

function joinRows(group: readonly Asked[]): Rows {
  const length = group.reduce((sum, job) => sum + job.request.rows.length, 0);
  const wide = group.some((job) => job.request.rows instanceof Float64Array);
  const rows = wide ? new Float64Array(length) : new Float32Array(length);
  let at = 0;
  for (const { request } of group) {
    rows.set(request.rows, at);
    at += request.rows.length;
  }
  return rows;
}
