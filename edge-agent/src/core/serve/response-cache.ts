/**
 * Answers of the version in place by the bytes of its input: the same question again costs no run. model-slot looks here
 * before it asks the model, and logs a hit as a prediction of its own. Not the fallback cache, which is by entity.
 */
import type { ModelInputs, Rows } from "@vedette/protocol/tensors";
import { LRUCache } from "lru-cache";
import type { Clock } from "../ports.ts";
import type { ModelAnswer } from "./decode-outputs.ts";

export interface ResponseCacheLimits {
  /** How long an answer is given again. */
  readonly ttlMs: number;
  /** Of all inputs and answers kept, about. */
  readonly maxBytes: number;
}
export interface ResponseCache {
  /** What `get` and `put` go by; null for a request that is not worth keeping. */
  key(inputs: ModelInputs): string | null;
  get(key: string): readonly ModelAnswer[] | undefined;
  put(key: string, answers: readonly ModelAnswer[]): void;
  clear(): void;
}

/** A larger request is hardly ever asked twice, and would push out many small ones. */
const maxKeyBytes = 4096;
/** An answer beside its scores. */
const answerBytes = 96;

export function createResponseCache({ ttlMs, maxBytes }: ResponseCacheLimits, clock: Clock): ResponseCache {
  const entries = new LRUCache<string, readonly ModelAnswer[]>({
    maxSize: maxBytes,
    ttl: ttlMs,
    ttlResolution: 0,
    // To the library an entry of time 0 has no age.
    perf: { now: () => clock.monotonic() + 1 },
    sizeCalculation: (answers, key) =>
      answers.reduce((sum, { scores }) => sum + answerBytes + 8 * (scores?.length ?? 0), 2 * key.length),
  });
  return {
    key({ rows, texts, tensors }) {
      if (tensors || rows.byteLength > maxKeyBytes) return null;
      if (!texts) return keyOf(rows);
      // A category that the schema does not know has one place in the rows, whatever its text.
      const spelt = JSON.stringify(texts);
      return spelt.length > maxKeyBytes ? null : `${keyOf(rows)} ${spelt}`;
    },
    get: (key) => entries.get(key),
    put: (key, answers) => void entries.set(key, answers),
    clear: () => entries.clear(),
  };
}

/** Each two bytes are a character; 32- and 64-bit rows differ by the first. */
function keyOf(rows: Rows): string {
  const pairs = new Uint16Array(rows.buffer, rows.byteOffset, rows.byteLength / 2);
  return (rows instanceof Float64Array ? "d" : "f") + String.fromCharCode.apply(null, pairs as unknown as number[]);
}
