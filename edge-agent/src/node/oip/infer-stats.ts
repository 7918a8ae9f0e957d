/** What HTTP counts of one version's infer requests; routes and metrics read it. How long runs take, the slot counts. */

/** Triton's words for why a request failed. */
export const failureReasons = ["REJECTED", "CANCELED", "BACKEND", "OTHER"] as const;
export type FailureReason = (typeof failureReasons)[number];

export interface InferStats {
  success: number;
  /** Of successes, ms from the request's head to its answer. */
  successMs: number;
  readonly failures: Record<FailureReason, number>;
  failureMs: number;
  /** UTC ms; 0 where there was none. */
  lastInference: number;
}

export function createInferStats(): InferStats {
  return {
    success: 0,
    successMs: 0,
    failures: { REJECTED: 0, CANCELED: 0, BACKEND: 0, OTHER: 0 },
    failureMs: 0,
    lastInference: 0,
  };
}

/** Refused for what it was or for too much to do; failed in the model; or otherwise ours. */
export function failureReasonOf(status: number): FailureReason {
  if (status < 500) return "REJECTED";
  return status === 500 ? "OTHER" : "BACKEND";
}
