/** The control plane's API as the commands call it: every answer parsed by the contract, every failure a VedetteError. */
import * as alertsContract from "@vedette/protocol/alerts-api";
import * as contract from "@vedette/protocol/api";
import { utf8 } from "@vedette/protocol/bytes";
import * as driftContract from "@vedette/protocol/drift-api";
import { codeOf, VedetteError } from "@vedette/protocol/errors";
import * as experimentsContract from "@vedette/protocol/experiments-api";
import * as gateContract from "@vedette/protocol/gate-api";
import * as labelsContract from "@vedette/protocol/labels-api";
import * as productionContract from "@vedette/protocol/production-api";
import * as recordsContract from "@vedette/protocol/records-api";
import * as releaseContract from "@vedette/protocol/release-api";
import * as rolloutsContract from "@vedette/protocol/rollouts-api";
import * as watchContract from "@vedette/protocol/watch-api";
import { z } from "zod";
import type { ProposeApi } from "../publish/propose-model.ts";
import type { PublishApi } from "../publish/publish-model.ts";
import type { TrustApi } from "../publish/trust-api.ts";
import { sha256 as sha256Of } from "../sha256.ts";
import type { SignerApi } from "../signer/signer-api.ts";
import { createApiCalls, type OperatorToken } from "./api-calls.ts";

export interface ApiClient extends TrustApi, PublishApi, ProposeApi, SignerApi {
  whoami(): Promise<z.infer<typeof contract.whoami>>;
  operators(): Promise<contract.Operator[]>;
  addOperator(request: z.infer<typeof contract.addOperator>): Promise<z.infer<typeof contract.operatorToken>>;
  removeOperator(name: string): Promise<void>;
  rotateToken(name: string): Promise<z.infer<typeof contract.operatorToken>>;
  rotateOwnToken(): Promise<z.infer<typeof contract.operatorToken>>;
  revokeOperatorToken(name: string): Promise<void>;
  tokens(): Promise<z.infer<typeof contract.tokenList>["tokens"]>;
  revokeToken(id: string): Promise<z.infer<typeof contract.revokeTokenAnswer>>;
  revokeDevice(agent: string, reason: string): Promise<z.infer<typeof contract.deviceAnswer>>;
  approveDevice(agent: string): Promise<z.infer<typeof contract.deviceAnswer>>;
  audit(query: Readonly<Record<string, string | number | undefined>>): Promise<z.infer<typeof contract.auditEntry>[]>;
  modelSignature(model: string, version: number): Promise<z.infer<typeof contract.modelSignature>>;
  /** The bytes of a chunk. @throws VedetteError digest_mismatch where they are not those of the name. */
  blob(sha256: string): Promise<Uint8Array<ArrayBuffer>>;
  models(): Promise<z.infer<typeof contract.modelList>>;
  assign(request: z.infer<typeof contract.assignRequest>): Promise<z.infer<typeof contract.assignAnswer>>;
  startRollout(request: z.input<typeof rolloutsContract.startRollout>): Promise<rolloutsContract.RolloutInDetail>;
  /** The newest first. */
  rollouts(query: {
    model?: string | undefined;
    state?: string | undefined;
    limit?: number | undefined;
  }): Promise<rolloutsContract.RolloutFacts[]>;
  rollout(id: number): Promise<rolloutsContract.RolloutInDetail>;
  actOnRollout(
    id: number,
    act: rolloutsContract.RolloutAct,
    request: rolloutsContract.ActOnRollout,
  ): Promise<rolloutsContract.RolloutInDetail>;
  replayRollout(
    id: number,
    request: z.input<typeof rolloutsContract.replayRollout>,
  ): Promise<rolloutsContract.Replayed>;
  startExperiment(
    request: z.input<typeof experimentsContract.startExperiment>,
  ): Promise<experimentsContract.ExperimentInDetail>;
  /** The newest first. */
  experiments(query: {
    model?: string | undefined;
    limit?: number | undefined;
  }): Promise<experimentsContract.ExperimentFacts[]>;
  experiment(id: number): Promise<experimentsContract.ExperimentInDetail>;
  actOnExperiment(
    id: number,
    act: experimentsContract.ExperimentAct,
    reason: string | undefined,
  ): Promise<experimentsContract.ExperimentInDetail>;
  stopExperiment(
    id: number,
    request: z.input<typeof experimentsContract.stopExperiment>,
  ): Promise<experimentsContract.ExperimentInDetail>;
  gate(model: string, version: number): Promise<gateContract.GateState>;
  runGate(model: string, version: number): Promise<gateContract.GateState>;
  overrideGate(
    model: string,
    version: number,
    request: z.infer<typeof gateContract.overrideGate>,
  ): Promise<gateContract.GateState>;
  withdrawOverride(model: string, version: number, reason: string): Promise<gateContract.GateState>;
  gateKeys(): Promise<z.infer<typeof releaseContract.gateKeys>>;
  /** Of one model or all, the newest first; and the models' settings. */
  releases(query: {
    model?: string | undefined;
    limit?: number | undefined;
  }): Promise<z.infer<typeof releaseContract.releaseList>>;
  withdrawRelease(id: number, reason: string): Promise<releaseContract.Release>;
  setHandsFree(
    model: string,
    request: z.input<typeof releaseContract.setHandsFree>,
  ): Promise<z.infer<typeof releaseContract.handsFreeAnswer>>;
  setFreeze(
    model: string,
    request: z.infer<typeof releaseContract.setFreeze>,
  ): Promise<z.infer<typeof releaseContract.handsFreeAnswer>>;
  createToken(request: z.input<typeof contract.createToken>): Promise<z.infer<typeof contract.createTokenAnswer>>;
  devices(): Promise<contract.Device[]>;
  production(): Promise<productionContract.Production>;
  drift(query: { model: string; version?: number | undefined }): Promise<driftContract.DriftState>;
  /** The newest first. */
  driftWindows(query: {
    model: string;
    version: number;
    limit: number;
  }): Promise<z.infer<typeof driftContract.driftWindows>["windows"]>;
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
  addLabels(lines: readonly labelsContract.LabelLine[]): Promise<labelsContract.LabelsAnswer>;
  labelStatus(): Promise<labelsContract.LabelStatus>;
  addMetrics(lines: readonly labelsContract.MetricLine[]): Promise<labelsContract.MetricsAnswer>;
  metrics(model?: string): Promise<labelsContract.MetricList>;
  performance(query: Question<typeof labelsContract.performanceQuery>): Promise<labelsContract.Performance>;
  harm(query: Question<typeof labelsContract.harmQuery>): Promise<labelsContract.Harm>;
  alerts(state: (typeof alertsContract.alertStates)[number], limit: number): Promise<alertsContract.Alert[]>;
  alert(id: number): Promise<alertsContract.Alert>;
  ackAlert(id: number, reason: string | undefined): Promise<alertsContract.Alert>;
  receivers(): Promise<alertsContract.AlertReceiver[]>;
  addReceiver(request: z.input<typeof alertsContract.addReceiver>): Promise<alertsContract.AlertReceiver[]>;
  removeReceiver(name: string): Promise<alertsContract.AlertReceiver[]>;
  watches(): Promise<watchContract.Watch[]>;
  addWatch(request: z.input<typeof watchContract.addWatch>): Promise<watchContract.Watch[]>;
  removeWatch(model: string): Promise<watchContract.Watch[]>;
  /** Rows as lines of JSON. */
  sendRows(model: string, lines: string): Promise<watchContract.WatchAnswer>;
  testReceiver(name: string): Promise<z.infer<typeof alertsContract.receiverTested>>;
}
/** A query before it is text; what is undefined is left out. */
type Question<T extends z.ZodType> = Readonly<Partial<Record<keyof z.infer<T>, string | number | undefined>>>;

/**
 * @param url of the control plane, with or without a slash at its end.
 * @throws VedetteError (from each call) offline where nobody answers there; else as the control plane says.
 */
export function createApiClient(url: string, token: OperatorToken, request: typeof fetch = fetch): ApiClient {
  const { base, ask, call, text, bytes, stream } = createApiCalls(url, token, request);
  const models = () => call("GET", "/v1/models", contract.modelList);
  return {
    trust: () => call("GET", "/v1/trust", contract.trustState),
    putMetadata: async (metadata) => {
      await call("PUT", "/v1/trust/metadata", z.unknown(), { metadata });
    },
    metadata: async (file) => {
      try {
        return await text(`/v1/trust/metadata/${file}`);
      } catch (error) {
        if (codeOf(error) === "not_found") return undefined;
        throw error;
      }
    },
    rotateOnlineKey: (role) => call("POST", "/v1/trust/online-keys", contract.trustState, { role }),
    whoami: () => call("GET", "/v1/whoami", contract.whoami),
    operators: async () => (await call("GET", "/v1/operators", contract.operatorList)).operators,
    addOperator: (body) => call("POST", "/v1/operators", contract.operatorToken, body),
    removeOperator: async (name) => {
      await ask("DELETE", `/v1/operators/${name}`);
    },
    rotateToken: (name) => call("POST", `/v1/operators/${name}/token`, contract.operatorToken),
    rotateOwnToken: () => call("POST", "/v1/whoami/token", contract.operatorToken),
    revokeOperatorToken: async (name) => {
      await ask("DELETE", `/v1/operators/${name}/token`);
    },
    tokens: async () => (await call("GET", "/v1/enrollment-tokens", contract.tokenList)).tokens,
    revokeToken: (id) => call("POST", `/v1/enrollment-tokens/${id}/revoke`, contract.revokeTokenAnswer),
    revokeDevice: (agent, reason) => call("POST", `/v1/devices/${agent}/revoke`, contract.deviceAnswer, { reason }),
    approveDevice: (agent) => call("POST", `/v1/devices/${agent}/approve`, contract.deviceAnswer),
    audit: async (query) => (await call("GET", `/v1/audit?${searchOf(query)}`, contract.auditList)).entries,
    modelSignature: (model, version) =>
      call("GET", `/v1/models/${model}/versions/${version}/signature`, contract.modelSignature),
    blob: async (sha256) => {
      const sent = await bytes(`/v1/blobs/${sha256}`);
      if (sha256Of(sent) === sha256) return sent;
      throw new VedetteError(
        "digest_mismatch",
        `the control plane at ${base} sent other bytes than those of blob ${sha256}`,
      );
    },
    models,
    versions: async () => (await models()).models.flatMap((model) => model.versions),
    missingBlobs: async (sha256) =>
      (await call("POST", "/v1/blobs/missing", contract.blobsMissing, { sha256 })).missing,
    putEvaluation: async (sha256, bytes) => {
      await call("PUT", `/v1/evaluations/${sha256}`, z.unknown(), bytes);
    },
    putBlob: async (sha256, bytes) => {
      await call("PUT", `/v1/blobs/${sha256}`, z.unknown(), bytes);
    },
    publish: (model, manifest, metadata, modelSignature) =>
      call("POST", `/v1/models/${model}/versions`, contract.modelVersion, { manifest, metadata, modelSignature }),
    assign: (body) => call("POST", "/v1/assignments", contract.assignAnswer, body),
    startRollout: (body) => call("POST", "/v1/rollouts", rolloutsContract.rollout, body),
    rollouts: async (query) =>
      (await call("GET", `/v1/rollouts?${searchOf(query)}`, rolloutsContract.rolloutList)).rollouts,
    rollout: (id) => call("GET", `/v1/rollouts/${id}`, rolloutsContract.rollout),
    actOnRollout: (id, act, body) => call("POST", `/v1/rollouts/${id}/${act}`, rolloutsContract.rollout, body),
    replayRollout: (id, body) => call("POST", `/v1/rollouts/${id}/replay`, rolloutsContract.replayed, body),
    startExperiment: (body) => call("POST", "/v1/experiments", experimentsContract.experiment, body),
    experiments: async (query) =>
      (await call("GET", `/v1/experiments?${searchOf(query)}`, experimentsContract.experimentList)).experiments,
    experiment: (id) => call("GET", `/v1/experiments/${id}`, experimentsContract.experiment),
    actOnExperiment: (id, act, reason) =>
      call("POST", `/v1/experiments/${id}/${act}`, experimentsContract.experiment, { reason }),
    stopExperiment: (id, body) => call("POST", `/v1/experiments/${id}/stop`, experimentsContract.experiment, body),
    gate: (model, version) => call("GET", `/v1/models/${model}/versions/${version}/gate`, gateContract.gateState),
    runGate: (model, version) => call("POST", `/v1/models/${model}/versions/${version}/gate`, gateContract.gateState),
    overrideGate: (model, version, body) =>
      call("POST", `/v1/models/${model}/versions/${version}/gate/override`, gateContract.gateState, body),
    withdrawOverride: (model, version, reason) =>
      call("POST", `/v1/models/${model}/versions/${version}/gate/override/withdrawal`, gateContract.gateState, {
        reason,
      }),
    gateKeys: () => call("GET", "/v1/gate", releaseContract.gateKeys),
    propose: (model, body) => call("POST", `/v1/models/${model}/releases`, releaseContract.release, body),
    releases: (query) => call("GET", `/v1/releases?${searchOf(query)}`, releaseContract.releaseList),
    release: (id) => call("GET", `/v1/releases/${id}`, releaseContract.release),
    signRelease: (id, metadata) => call("POST", `/v1/releases/${id}/signature`, releaseContract.release, { metadata }),
    refuseRelease: (id, why) => call("POST", `/v1/releases/${id}/refusal`, releaseContract.release, { why }),
    withdrawRelease: (id, reason) => call("POST", `/v1/releases/${id}/withdrawal`, releaseContract.release, { reason }),
    setHandsFree: (model, body) => call("PUT", `/v1/models/${model}/hands-free`, releaseContract.handsFreeAnswer, body),
    setFreeze: (model, body) => call("PUT", `/v1/models/${model}/freeze`, releaseContract.handsFreeAnswer, body),
    createToken: (body) => call("POST", "/v1/enrollment-tokens", contract.createTokenAnswer, body),
    devices: async () => (await call("GET", "/v1/devices", contract.deviceList)).devices,
    drift: (query) => call("GET", `/v1/drift?${searchOf(query)}`, driftContract.driftState),
    driftWindows: async (query) =>
      (await call("GET", `/v1/drift/windows?${searchOf(query)}`, driftContract.driftWindows)).windows,
    production: () => call("GET", "/v1/production", productionContract.production),
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
    addLabels: (lines) => call("POST", "/v1/labels", labelsContract.labelsAnswer, lines),
    labelStatus: () => call("GET", "/v1/labels", labelsContract.labelStatus),
    addMetrics: (lines) => call("POST", "/v1/metrics", labelsContract.metricsAnswer, lines),
    metrics: (model) => call("GET", `/v1/metrics?${searchOf({ model })}`, labelsContract.metricList),
    performance: (query) => call("GET", `/v1/performance?${searchOf(query)}`, labelsContract.performance),
    harm: (query) => call("GET", `/v1/performance/harm?${searchOf(query)}`, labelsContract.harm),
    alerts: async (state, limit) =>
      (await call("GET", `/v1/alerts?state=${state}&limit=${limit}`, alertsContract.alertList)).alerts,
    alert: (id) => call("GET", `/v1/alerts/${id}`, alertsContract.alert),
    ackAlert: (id, reason) => call("POST", `/v1/alerts/${id}/ack`, alertsContract.alert, { reason }),
    receivers: async () => (await call("GET", "/v1/alert-receivers", alertsContract.receiverList)).receivers,
    addReceiver: async (body) =>
      (await call("POST", "/v1/alert-receivers", alertsContract.receiverList, body)).receivers,
    removeReceiver: async (name) =>
      (await call("DELETE", `/v1/alert-receivers/${name}`, alertsContract.receiverList)).receivers,
    watches: async () => (await call("GET", "/v1/watches", watchContract.watchList)).watches,
    addWatch: async (body) => (await call("POST", "/v1/watches", watchContract.watchList, body)).watches,
    removeWatch: async (model) => (await call("DELETE", `/v1/watches/${model}`, watchContract.watchList)).watches,
    sendRows: (model, lines) =>
      call("POST", `/v1/watch/${model}`, watchContract.watchAnswer, utf8(lines), "application/x-ndjson"),
    testReceiver: (name) => call("POST", `/v1/alert-receivers/${name}/test`, alertsContract.receiverTested),
  };
}

function searchOf(query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`] as [string, string]],
  );
  return new URLSearchParams(given).toString();
}
