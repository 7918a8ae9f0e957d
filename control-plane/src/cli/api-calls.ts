/**
 * Questions to the control plane's API, of which `api-client.ts` knows the names: reaches it with the operator's token, parses
 * what it answers by the contract, and makes of every failure a VedetteError.
 */
import { apiError } from "@vedette/protocol/api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { z } from "zod";

export interface OperatorToken {
  readonly text: string;
  /** Where it was found, for people. */
  readonly from: string;
}

type Body = Uint8Array<ArrayBuffer> | object;

/** Each @throws VedetteError offline where nobody answers there; else as the control plane says. */
export interface ApiCalls {
  /** Without a slash at its end. */
  readonly base: string;
  /** An answer that is no refusal. */
  ask(method: string, path: string, body?: Body): Promise<Response>;
  /** @param rawType of a body of bytes. @throws VedetteError internal where the answer is not what the contract says. */
  call<T extends z.ZodType>(
    method: string,
    path: string,
    answer: T,
    body?: Body,
    rawType?: string,
  ): Promise<z.infer<T>>;
  /** What GET answers, as it is. */
  text(path: string): Promise<string>;
  bytes(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** What POST answers, as it comes. @throws VedetteError internal where nothing does. */
  stream(path: string, body: object): Promise<ReadableStream<Uint8Array>>;
}

/** @param url of the control plane, with or without a slash at its end. */
export function createApiCalls(url: string, token: OperatorToken, request: typeof fetch): ApiCalls {
  const base = url.replace(/\/+$/, "");

  async function ask(
    method: string,
    path: string,
    body?: Body,
    rawType = "application/octet-stream",
  ): Promise<Response> {
    const raw = body instanceof Uint8Array;
    const response = await reach(`${base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token.text}`,
        ...(body === undefined ? {} : { "content-type": raw ? rawType : "application/json" }),
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    if (response.status === 401) {
      throw new VedetteError(
        "unauthenticated",
        `the operator token from ${token.from} is not that of the site at ${base}: the first admin's is in operator.token of the control plane's home (name yours with --token-file, VEDETTE_TOKEN or --home)`,
      );
    }
    if (!response.ok)
      throw refusal(parseJson(await read(response.text())), response.status, `${method} ${base}${path}`);
    return response;
  }

  async function call<T extends z.ZodType>(
    method: string,
    path: string,
    answer: T,
    body?: Body,
    rawType?: string,
  ): Promise<z.infer<T>> {
    const json = parseJson(await read((await ask(method, path, body, rawType)).text()));
    const parsed = answer.safeParse(json);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new VedetteError(
      "internal",
      `${method} ${base}${path} answered what this version does not know (${issue?.path.join(".")}: ${issue?.message}): ` +
        "use the vedette of the control plane's version",
    );
  }

  async function stream(path: string, body: object): Promise<ReadableStream<Uint8Array>> {
    const response = await ask("POST", path, body);
    if (!response.body) throw new VedetteError("internal", `POST ${base}${path} answered without a body`);
    return response.body;
  }

  async function reach(address: string, init: RequestInit): Promise<Response> {
    try {
      return await request(address, init);
    } catch (cause) {
      const why = cause instanceof Error && cause.cause ? messageOf(cause.cause) : messageOf(cause);
      throw new VedetteError(
        "offline",
        `no control plane answers at ${base} (${why}): start one with \`vedette up\`, or name yours with --url`,
        { cause },
      );
    }
  }

  /** Of a body: a control plane that is stopped may cut it short. */
  async function read<T>(body: Promise<T>): Promise<T> {
    try {
      return await body;
    } catch (cause) {
      if (cause instanceof VedetteError) throw cause;
      throw new VedetteError("offline", `the control plane at ${base} cut its answer short (${messageOf(cause)})`, {
        cause,
      });
    }
  }

  return {
    base,
    ask,
    call,
    text: async (path) => read((await ask("GET", path)).text()),
    bytes: async (path) => new Uint8Array(await read((await ask("GET", path)).arrayBuffer())),
    stream,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: an empty answer, or a proxy's page. Either way the schema decides what that means.
    return undefined;
  }
}

function refusal(json: unknown, status: number, what: string): VedetteError {
  const told = apiError.safeParse(json);
  if (told.success) return new VedetteError(told.data.error.code, told.data.error.message);
  return new VedetteError(
    "internal",
    `${what} answered ${status} without saying why: is this a control plane's address?`,
  );
}
