/** The control plane's API as the commands call it: every answer parsed by the contract, every failure a VedetteError. */
import * as contract from "@vedette/protocol/api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import * as recordsContract from "@vedette/protocol/records-api";
import { z } from "zod";
import type { TrustApi } from "../publish/init-trust.ts";
import type { PublishApi } from "../publish/publish-model.ts";

export interface ApiClient extends TrustApi, PublishApi {
  models(): Promise<z.infer<typeof contract.modelList>>;
  assign(request: z.infer<typeof contract.assignRequest>): Promise<z.infer<typeof contract.assignAnswer>>;
  createToken(request: z.input<typeof contract.createToken>): Promise<z.infer<typeof contract.createTokenAnswer>>;
  devices(): Promise<contract.Device[]>;
  production(): Promise<contract.Production>;
  /** Asks for what is acknowledged to reach the lake first, so that the newest predictions are found. */
  query(request: z.input<typeof contract.predictionQuery>): Promise<z.infer<typeof contract.predictionRows>>;
  counts(): Promise<recordsContract.PredictionCounts>;
  retention(): Promise<z.infer<typeof recordsContract.retentionPolicies>>;
  setRetention(
    request: z.infer<typeof recordsContract.setRetention>,
  ): Promise<z.infer<typeof recordsContract.retentionPolicies>>;
  erase(request: z.input<typeof recordsContract.eraseRequest>): Promise<recordsContract.Erasure>;
  erasures(): Promise<recordsContract.Erasure[]>;
  verify(request: z.infer<typeof recordsContract.verifyRequest>): Promise<recordsContract.Verified>;
  /** Bytes as they come; those of an export or a backup. */
  export(request: recordsContract.ExportRequest): Promise<ReadableStream<Uint8Array>>;
  backup(request: z.infer<typeof recordsContract.backupRequest>): Promise<ReadableStream<Uint8Array>>;
  sinks(): Promise<recordsContract.SinkState[]>;
  addSink(request: z.input<typeof recordsContract.addSink>): Promise<recordsContract.SinkState[]>;
  removeSink(name: string): Promise<recordsContract.SinkState[]>;
}

export interface OperatorToken {
  readonly text: string;
  /** Where it was found, for people. */
  readonly from: string;
}

/**
 * @param url of the control plane, with or without a slash at its end.
 * @throws VedetteError (from each call) offline where nobody answers there; else as the control plane says.
 */
export function createApiClient(url: string, token: OperatorToken, request: typeof fetch = fetch): ApiClient {
  const base = url.replace(/\/+$/, "");

  async function call<T extends z.ZodType>(
    method: string,
    path: string,
    answer: T,
    body?: Uint8Array<ArrayBuffer> | object,
  ): Promise<z.infer<T>> {
    const response = await send(method, path, body);
    const text = await response.text();
    const json = parseJson(text);
    requireOk(response, json, `${method} ${base}${path}`);
    const parsed = answer.safeParse(json);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new VedetteError(
      "internal",
      `${method} ${base}${path} answered what this version does not know (${issue?.path.join(".")}: ${issue?.message}): ` +
        "use the vedette of the control plane's version",
    );
  }

  async function send(method: string, path: string, body?: Uint8Array<ArrayBuffer> | object): Promise<Response> {
    const raw = body instanceof Uint8Array;
    return reach(`${base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token.text}`,
        ...(body === undefined ? {} : { "content-type": raw ? "application/octet-stream" : "application/json" }),
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
  }

  function requireOk(response: Response, json: unknown, what: string): void {
    if (response.status === 401) {
      throw new VedetteError(
        "unauthenticated",
        `the operator token from ${token.from} is not that of the site at ${base}: its own is in operator.token of the control plane's home (name it with --token-file, VEDETTE_TOKEN or --home)`,
      );
    }
    if (!response.ok) throw refusal(json, response.status, what);
  }

  async function stream(path: string, body: object): Promise<ReadableStream<Uint8Array>> {
    const response = await send("POST", path, body);
    if (!response.ok) requireOk(response, parseJson(await response.text()), `POST ${base}${path}`);
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

  const models = () => call("GET", "/v1/models", contract.modelList);
  return {
    trust: () => call("GET", "/v1/trust", contract.trustState),
    putMetadata: async (metadata) => {
      await call("PUT", "/v1/trust/metadata", z.unknown(), { metadata });
    },
    models,
    versions: async () => (await models()).models.flatMap((model) => model.versions),
    missingBlobs: async (sha256) =>
      (await call("POST", "/v1/blobs/missing", contract.blobsMissing, { sha256 })).missing,
    putBlob: async (sha256, bytes) => {
      await call("PUT", `/v1/blobs/${sha256}`, z.unknown(), bytes);
    },
    publish: (model, manifest, metadata) =>
      call("POST", `/v1/models/${model}/versions`, contract.modelVersion, { manifest, metadata }),
    assign: (body) => call("POST", "/v1/assignments", contract.assignAnswer, body),
    createToken: (body) => call("POST", "/v1/enrollment-tokens", contract.createTokenAnswer, body),
    devices: async () => (await call("GET", "/v1/devices", contract.deviceList)).devices,
    production: () => call("GET", "/v1/production", contract.production),
    query: async (body) => {
      await call("POST", "/v1/predictions/flush", contract.flushAnswer);
      return call("POST", "/v1/predictions/query", contract.predictionRows, body);
    },
    counts: () => call("GET", "/v1/predictions/counts", recordsContract.predictionCounts),
    retention: () => call("GET", "/v1/predictions/retention", recordsContract.retentionPolicies),
    setRetention: (body) => call("PUT", "/v1/predictions/retention", recordsContract.retentionPolicies, body),
    erase: (body) => call("POST", "/v1/predictions/erasures", recordsContract.erasure, body),
    erasures: async () => (await call("GET", "/v1/predictions/erasures", recordsContract.erasureList)).erasures,
    verify: (body) => call("POST", "/v1/predictions/verify", recordsContract.verified, body),
    export: (body) => stream("/v1/predictions/export", body),
    backup: (body) => stream("/v1/backup", body),
    sinks: async () => (await call("GET", "/v1/sinks", recordsContract.sinkList)).sinks,
    addSink: async (body) => (await call("POST", "/v1/sinks", recordsContract.sinkList, body)).sinks,
    removeSink: async (name) => (await call("DELETE", `/v1/sinks/${name}`, recordsContract.sinkList)).sinks,
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
  const told = contract.apiError.safeParse(json);
  if (told.success) return new VedetteError(told.data.error.code, told.data.error.message);
  return new VedetteError(
    "internal",
    `${what} answered ${status} without saying why: is this a control plane's address?`,
  );
}
