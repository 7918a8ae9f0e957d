/** An infer request as it comes: a JSON header, and after it the bytes of tensors that the client sent as binary. */
import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { type Datatype, datatype, datatypes } from "@vedette/protocol/tensors";
import { z } from "zod";

const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({});
const inferRequest = z.object({
  id: z.string().max(256).optional(),
  parameters,
  inputs: z
    .array(
      z.object({
        name: z.string(),
        shape: z.array(z.int().min(0)).min(1).max(8),
        datatype,
        parameters,
        /** Nested or flat; checked where it is read, since a schema over every number would cost more than the model. */
        data: z.unknown().optional(),
      }),
    )
    .min(1)
    .max(4096),
  outputs: z.array(z.object({ name: z.string(), parameters })).optional(),
});

export interface InputTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: Datatype;
  /** JSON values, nested or flat; or raw little-endian bytes. */
  readonly data:
    | { readonly kind: "json"; readonly values: unknown }
    | { readonly kind: "binary"; readonly bytes: Uint8Array };
}
export interface InferRequest {
  readonly id: string | undefined;
  readonly entity: string | undefined;
  /** UTC ms. */
  readonly eventTime: number | undefined;
  readonly inputs: readonly InputTensor[];
  /** Which outputs, and whether as binary; undefined: all of them. */
  readonly outputs: readonly { readonly name: string; readonly binary: boolean }[] | undefined;
  /** For outputs that say nothing themselves. */
  readonly binaryOutput: boolean;
}

/**
 * @param headerLength bytes of the JSON header, from `Inference-Header-Content-Length`; undefined: the whole body is JSON.
 * @throws VedetteError invalid_input naming what does not fit; unsupported for an extension this server lacks.
 */
export function parseInferRequest(body: Uint8Array, headerLength: string | undefined): InferRequest {
  const length = headerLength === undefined ? body.length : Number(headerLength);
  if (!Number.isInteger(length) || length < 0 || length > body.length) {
    throw invalid(`Inference-Header-Content-Length is ${headerLength}, but the body has ${body.length} bytes`);
  }
  return readInferRequest(parseJson(body.subarray(0, length)), body.subarray(length));
}

/**
 * @param tail the bytes after the JSON header.
 * @throws VedetteError as parseInferRequest.
 */
export function readInferRequest(json: unknown, tail: Uint8Array): InferRequest {
  if (isPlain(json)) return { ...nothingAsked, inputs: takeData(json.inputs, tail) };
  const parsed = inferRequest.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(
      `the request does not fit the Open Inference Protocol: ${shown(issue?.path.join(".") ?? "")}: ${issue?.message}`,
    );
  }
  const { data: request } = parsed;
  const binaryOutput = request.parameters.binary_data_output === true;
  return {
    id: request.id,
    entity: parseEntity(request.parameters.vedette_entity),
    eventTime: parseTime(request.parameters.vedette_time),
    inputs: takeData(request.inputs, tail),
    outputs: request.outputs?.map(({ name, parameters: asked }) => {
      if (asked.classification !== undefined) {
        throw new VedetteError("unsupported", `output ${shown(name)}: the classification extension is not served here`);
      }
      return { name, binary: typeof asked.binary_data === "boolean" ? asked.binary_data : binaryOutput };
    }),
    binaryOutput,
  };
}

type ParsedInput = z.infer<typeof inferRequest>["inputs"][number];
type PlainInput = Omit<ParsedInput, "parameters"> & Partial<Pick<ParsedInput, "parameters">>;

const nothingAsked = {
  id: undefined,
  entity: undefined,
  eventTime: undefined,
  outputs: undefined,
  binaryOutput: false,
} as const;

/**
 * Whether a request is of the commonest kind: one tensor in JSON, and nothing asked beyond it. The schema takes all of
 * these as they are, at three times the cost of their JSON; whatever is not plain is the schema's to take or refuse.
 */
function isPlain(json: unknown): json is { inputs: [PlainInput] } {
  if (!hasOnly(json, ["inputs"]) || !Array.isArray(json.inputs) || json.inputs.length !== 1) return false;
  const input: unknown = json.inputs[0];
  if (!hasOnly(input, ["name", "shape", "datatype", "data"]) || typeof input.name !== "string") return false;
  const { shape } = input;
  if (!Array.isArray(shape) || shape.length < 1 || shape.length > 8) return false;
  return shape.every((size) => Number.isSafeInteger(size) && size >= 0) && isDatatype(input.datatype);
}

function hasOnly<K extends string>(value: unknown, keys: readonly K[]): value is Record<K, unknown> {
  if (typeof value !== "object" || value === null) return false;
  for (const key in value) if (!(keys as readonly string[]).includes(key)) return false;
  return true;
}

const isDatatype = (value: unknown): boolean => (datatypes as readonly unknown[]).includes(value);

/** Gives each tensor its data: its own, or the next bytes after the header. */
function takeData(inputs: readonly PlainInput[], tail: Uint8Array): InputTensor[] {
  let at = 0;
  const tensors = inputs.map(({ parameters: given, data, ...tensor }): InputTensor => {
    const size = given?.binary_data_size;
    if (size === undefined) {
      if (data === undefined) throw invalid(`input tensor ${shown(tensor.name)} has neither data nor binary_data_size`);
      return { ...tensor, data: { kind: "json", values: data } };
    }
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > tail.length - at) {
      throw invalid(
        `input tensor ${shown(tensor.name)}: binary_data_size is ${size}, but ${tail.length - at} bytes are left`,
      );
    }
    at += size;
    return { ...tensor, data: { kind: "binary", bytes: tail.subarray(at - size, at) } };
  });
  if (at !== tail.length) throw invalid(`${tail.length - at} bytes after the last binary tensor belong to none`);
  return tensors;
}

function parseEntity(value: string | number | boolean | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "boolean" || String(value).length > 256) {
    throw invalid("parameter vedette_entity is a text of at most 256 characters");
  }
  return String(value);
}

function parseTime(value: string | number | boolean | undefined): number | undefined {
  if (value === undefined) return undefined;
  const time = typeof value === "string" ? Date.parse(value) : value;
  if (typeof time !== "number" || !Number.isFinite(time)) {
    throw invalid(`parameter vedette_time is UTC milliseconds or an ISO 8601 text, not ${JSON.stringify(value)}`);
  }
  return time;
}

/** @throws VedetteError invalid_input. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = fromUtf8(bytes);
    // Numbers of so many digits may be integers that no double holds: they come as they are written.
    return /\d{16}/.test(text) ? JSON.parse(text, exactInteger) : JSON.parse(text);
  } catch (cause) {
    throw new VedetteError("invalid_input", "the request is not JSON in UTF-8", { cause });
  }
}

/** https://tc39.es/proposal-json-parse-with-source: the third argument has the text of a number. */
function exactInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || Number.isSafeInteger(value) || source === undefined) return value;
  return /^-?\d{1,20}$/.test(source) ? BigInt(source) : value;
}

function invalid(message: string): VedetteError {
  return new VedetteError("invalid_input", message);
}

/** A name that a client sent, fit for an error. */
export function shown(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
