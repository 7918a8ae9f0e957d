/**
 * What the ways in (HTTP in Node, comlink in the page, in process) see of an agent. Built by `create-agent.ts` from
 * ports; its stages: receive → verify → prove → serve → watch → log.
 */

import type { Manifest } from "@vedette/protocol/bundle";
import type { FallbackReason, Source } from "@vedette/protocol/ids";
import type { Reported, ReportedSlot } from "@vedette/protocol/messages";
import type { ModelInputs, Tensor } from "@vedette/protocol/tensors";
import type { SlotCounters } from "./serve/slot-counters.ts";

/** Its rows are [n][fields] in the order of the input schema's fields; `predict` checks them against the schema. */
export interface PredictRequest extends ModelInputs {
  readonly model: string;
  /** What the prediction is about (a station, a machine): one for all rows. Key of the fallback cache. */
  readonly entity?: string;
  /** When it happened, UTC ms. */
  readonly eventTime?: number;
  readonly requestId?: string;
  /** Takes the model's answer however long it takes: for batches, where a late answer is better than the ladder's. */
  readonly patient?: boolean;
}

/** The answer for one row. */
export interface Answer {
  /** `agent.stream.epoch.n`. */
  readonly id: string;
  readonly source: Source;
  /** Why the model did not answer; null where it did. */
  readonly reason: FallbackReason | null;
  readonly cached: boolean;
  /** Probability of the predicted class, or what the rule says; null where unknown. */
  readonly confidence: number | null;
  /** Predicted class; null for other tasks and where the source is `none`. */
  readonly label: string | null;
  /** Predicted value of a regression; null for other tasks and where the source is `none`. */
  readonly value: number | null;
  /** Probabilities in the order of the classes; null where the source is not the model or its cache. */
  readonly scores: readonly number[] | null;
  /** What the model gave for this row, [1, …] by name, where its bundle names no task; else null. */
  readonly outputs: Readonly<Record<string, Tensor>> | null;
}
export interface Prediction {
  readonly model: string;
  /** Digest and release of the version that was serving; null where none was. */
  readonly digest: string | null;
  readonly release: number | null;
  readonly answers: readonly Answer[];
}

export interface ServedModel {
  readonly name: string;
  /** Null while no version serves: the ladder still answers. */
  readonly version: { readonly digest: string; readonly release: number } | null;
  /** Another one that answers some of the entities, where requests are split: it takes and gives the same. */
  readonly second?: { readonly digest: string; readonly release: number };
  /** Of the version that serves, else of the last one known: whose fields are asked and whose ladder answers. */
  readonly manifest: Manifest | null;
}

export interface Agent {
  readonly id: string;
  /**
   * Answers every row. Resolves after the rows are in the spool.
   * @throws VedetteError not_found (a model never assigned here), invalid_input (wrong width, a required value missing).
   */
  predict(request: PredictRequest): Promise<Prediction>;
  models(): ServedModel[];
  /** What would be reported upward now. */
  status(): Reported;
  /** Calls after each change of `status` that a person would want to see; the answer unsubscribes. */
  onChange(call: () => void): () => void;
  /** Stops taking requests, flushes the spool, says goodbye, closes. */
  stop(): Promise<void>;
}

/** What there is to measure of an agent: counters since it started, and what is there now. For metrics; taken when asked. */
export interface Measured {
  measures(): AgentMeasures;
}
export interface AgentMeasures {
  readonly connected: boolean;
  /** Over the network, of this process. */
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly models: readonly ModelMeasures[];
}
export interface ModelMeasures {
  readonly name: string;
  readonly release: number | null;
  readonly digest: string | null;
  readonly counters: SlotCounters;
  /** What waits until the control plane has stored it. */
  readonly spoolBatches: number;
  readonly spoolRows: number;
  readonly drift: readonly { readonly field: string; readonly verdict: string }[];
  /** What is asked beside its answers, where anything is. */
  readonly beside?: ReportedSlot["beside"];
}
