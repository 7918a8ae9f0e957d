/**
 * Composes an agent from ports. First it serves what the device already holds, without the network; then it connects.
 * Adapters (Node, page, simulated fleet) call `createAgent` and put ways in around the `Agent` they get.
 *
 *     session ─▶ agent models ─▶ model keeper ─▶ fetch-bundle ─▶ prove ─▶ model slot ─▶ prediction log ─▶ batch sender ─▶ session
 */
import type { AgentAbilities } from "@vedette/protocol/capability";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Reported } from "@vedette/protocol/messages";
import { topics } from "@vedette/protocol/topics";
import type { Agent, Measured } from "./agent.ts";
import { createAgentModels, type ModelOptions } from "./agent-models.ts";
import { closeAll } from "./close-all.ts";
import { createCommands } from "./link/commands.ts";
import { openDataBudget } from "./link/data-budget.ts";
import { createInbox } from "./link/inbox.ts";
import { openLinkState } from "./link/link-state.ts";
import { createRequester } from "./link/requester.ts";
import { createSession, type SessionTimes } from "./link/session.ts";
import { openSessionCounter } from "./link/session-counter.ts";
import { signTransport } from "./link/signed-transport.ts";
import type { Ports } from "./ports.ts";
import { fetchBundle } from "./receive/fetch-bundle.ts";
import { measuresOf, reportOf } from "./report-model.ts";
import { openShadowOutbox } from "./shadow/shadow-outbox.ts";
import { createBundleStore } from "./store/bundle-store.ts";
import { openDriftOutbox } from "./watch/drift-outbox.ts";
import type { DriftReference } from "./watch/drift-watch.ts";

export interface AgentOptions extends ModelOptions {
  /** Bytes that the device may send and receive in a day before models wait; null: no limit. */
  readonly dataBytesPerDay: number | null;
  readonly times: Partial<SessionTimes>;
  /** Calls once when all requests of this tick have come, so that they run together. Node: `setImmediate`. */
  readonly schedule: (call: () => void) => void;
}

export interface CreateAgentOptions {
  readonly site: string;
  readonly agent: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly abilities: AgentAbilities;
  readonly ports: Ports;
  /** The drift kernels of this platform. */
  readonly kernels: { openReference(bytes: Uint8Array): DriftReference };
  readonly options?: Partial<AgentOptions>;
}

/**
 * Resolves when the device serves what it holds, online or not.
 * @throws VedetteError storage_failed where the device's own state cannot be read.
 */
export async function createAgent(given: CreateAgentOptions): Promise<Agent & Measured> {
  const { site, agent, abilities, labels, kernels } = given;
  const { clock, random, key } = given.ports;
  const schedule = given.options?.schedule ?? ((call: () => void) => void clock.after(0, call));
  const topic = topics(site);
  const sessions = await openSessionCounter(given.ports);
  const presenceTopic = topic.presence(agent);
  const transport = signTransport({ transport: given.ports.transport, key, agent, presenceTopic, sessions });
  const ports = { ...given.ports, transport };
  const listeners = new Set<() => void>();
  let stopping: { readonly done: Promise<void> } | undefined;

  const state = await openLinkState(ports);
  const store = createBundleStore(ports);
  const inbox = createInbox(ports.log);
  const requester = createRequester({
    clock,
    random,
    publish: (payload) => transport.publish(topic.request(agent), payload, { qos: 1 }),
  });
  const budget = await openDataBudget({ ...ports, limit: given.options?.dataBytesPerDay ?? null });
  const fetchPorts = { ...ports, budget, store, inbox, requester, topic, agent, abilities };
  const driftOutbox = await openDriftOutbox({
    ports,
    publish: (message) => transport.publish(topic.drift(agent), message, { qos: 1 }),
  });
  const shadowOutbox = await openShadowOutbox({
    ports,
    publish: (message) => transport.publish(topic.shadow(agent), message, { qos: 1 }),
  });

  const changed = () => {
    session.changed();
    for (const call of listeners) call();
  };
  const models = createAgentModels({
    ...{ agent, abilities, kernels, ports, state, store, driftOutbox, shadowOutbox, schedule, changed },
    options: given.options ?? {},
    publish: (model, frame) => transport.publish(topic.log(agent, model), frame, { qos: 1 }),
    fetch: (assigned, trusted) => fetchBundle(assigned, trusted, fetchPorts),
  });

  const status = (): Reported => ({
    agent,
    rev: state.rev,
    at: clock.now(),
    abilities,
    labels: { ...labels },
    data: budget.use,
    slots: models.all.map(({ keeper }) => reportOf(keeper)),
  });

  const commands = createCommands({
    agent,
    state,
    ports,
    erase: models.forget,
    answer: (outcome) => transport.publish(topic.outcome(agent), JSON.stringify(outcome), { qos: 1 }),
  });

  const session = createSession({
    site,
    agent,
    labels,
    abilities,
    ports,
    topic,
    inbox,
    requester,
    state,
    times: given.options?.times ?? {},
    streams: () =>
      models.all.flatMap(({ keeper, logs }) =>
        logs.all.flatMap(({ log }) =>
          log.epochs.map((epoch) => ({ stream: keeper.model, epoch, held: log.held(epoch) })),
        ),
      ),
    report: status,
    spoolBatches: () => models.all.flatMap(({ logs }) => logs.all).reduce((sum, { log }) => sum + log.pending, 0),
    floors: models.raiseFloors,
    assigned: models.follow,
    commanded: (command) => void commands.take(command),
    driftAcked: (ack) => driftOutbox.acked(ack),
    asksBeside: () => shadowOutbox.waits || models.all.some(({ keeper }) => keeper.pins.beside !== null),
    shadowAcked: (ack) => shadowOutbox.acked(ack),
    acked: (stream, ack) => models.get(stream)?.logs.acked(ack),
    stored: (all) => {
      for (const { stream, epoch, upTo } of all) models.get(stream)?.logs.stored(upTo, epoch);
    },
    connected: () => {
      driftOutbox.connected();
      shadowOutbox.connected();
      models.connected();
    },
    disconnected: () => {
      driftOutbox.disconnected();
      shadowOutbox.disconnected();
      models.disconnected();
    },
  });

  const stop = () =>
    closeAll(`agent ${agent}`, [
      models.cut,
      () => session.stop(),
      models.close, // with those that came meanwhile
      () => driftOutbox.close(),
      () => shadowOutbox.close(),
      () => budget.close(),
    ]);

  try {
    await models.open();
  } catch (error) {
    await budget.close();
    driftOutbox.disconnected();
    shadowOutbox.disconnected();
    await models.close().catch((late: unknown) => ports.log.error("agent.close_failed", { why: messageOf(late) }));
    throw error;
  }
  session.start();

  const isStopping = () => new VedetteError("not_ready", `agent ${agent} is stopping: ask again when it is back`);
  const isUnknown = (model: string) => {
    const known = models.all.map(({ keeper }) => keeper.model).join(", ") || "none yet";
    return new VedetteError("not_found", `no model ${model} on ${agent} (here: ${known}): assign it first`);
  };

  return {
    id: agent,
    // The slot's own promise: one more around it would cost as much as the log.
    predict(request) {
      const model = models.get(request.model);
      if (model && !stopping) return model.keeper.slot.predict(request);
      return Promise.reject(stopping ? isStopping() : isUnknown(request.model));
    },
    models: () =>
      models.all.map(({ keeper: { model, slot } }) => {
        const { version, manifest, second } = slot;
        const short = (of: { digest: string; release: number }) => ({ digest: of.digest, release: of.release });
        const beside = second ? { second: short(second.version) } : {};
        return { name: model, version: version && short(version), ...beside, manifest };
      }),
    status,
    measures: () => ({
      connected: transport.connected,
      bytes: { ...transport.bytes },
      models: models.all.map(({ keeper, logs }) => measuresOf(keeper, logs)),
    }),
    onChange(call) {
      listeners.add(call);
      return () => void listeners.delete(call);
    },
    stop() {
      stopping ??= { done: stop() };
      return stopping.done;
    },
  };
}
