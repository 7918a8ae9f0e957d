/** What the page and its agent's worker say to each other. Plain data, so that it crosses by structured clone. */
import { codeOf, type ErrorCode, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Reported } from "@vedette/protocol/messages";
import type { Prediction, ServedModel } from "../core/agent.ts";
import type { NamedRequest } from "../core/serve/named-rows.ts";

export interface OpenOptions {
  readonly token?: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Folder of this agent among the site's data. */
  readonly home: string;
  /** As in ConnectOptions. */
  readonly backoff?: { readonly firstMs: number; readonly capMs: number };
}

export interface PageStatus {
  readonly agent: string;
  readonly site: string;
  /** Whether the control plane can be reached now; predictions do not wait for it. */
  readonly connected: boolean;
  /** Bytes sent and received by MQTT since the start. */
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly storage: "opfs" | "indexeddb";
  /** What the agent reports upward: versions, drift, answers by source. */
  readonly reported: Reported;
  readonly models: readonly ServedModel[];
}

/** An error's code does not survive structured clone, so every answer says which it is. */
export type Reply<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

export interface WorkerApi {
  open(options: OpenOptions, changed: () => void): Promise<Reply<{ agent: string }>>;
  predict(request: NamedRequest): Promise<Reply<Prediction>>;
  status(): Promise<Reply<PageStatus>>;
  close(): Promise<Reply<null>>;
}

/** Runs work and says how it went. */
export async function replyOf<T>(work: () => T | Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, code: codeOf(error), message: messageOf(error) };
  }
}

/** The value of a reply. @throws VedetteError as it was thrown in the worker. */
export function unwrap<T>(reply: Reply<T>): T {
  if (reply.ok) return reply.value;
  throw new VedetteError(reply.code, reply.message);
}
