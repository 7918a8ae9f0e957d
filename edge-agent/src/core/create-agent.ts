/**
 * Composes an agent from ports. First it serves what the device already holds, without the network; then it connects.
 * Adapters (Node, page, simulated fleet) call `createAgent` and put ways in around the `Agent` they get.
 *
 *     session ─▶ model keepers ─▶ fetch-bundle ─▶ prove ─▶ model slot ─▶ prediction log ─▶ batch sender ─▶ session
 */
import type { Manifest } from "@vedette/protocol/bundle";
import type { AgentAbilities } from "@vedette/protocol/capability";
import { entityClaim, type Tombstone } from "@vedette/protocol/erasure";
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Assignment, Reported } from "@vedette/protocol/messages";
import { topics } from "@vedette/protocol/topics";
import type { Agent, Measured } from "./agent.ts";
import { closeAll } from "./close-all.ts";
import { createCommands } from "./link/commands.ts";
import { openDataBudget } from "./link/data-budget.ts";
import { createInbox } from "./link/inbox.ts";
import { openLinkState } from "./link/link-state.ts";
import { createRequester } from "./link/requester.ts";
import { createSession, type SessionTimes } from "./link/session.ts";
import { openSessionCounter } from "./link/session-counter.ts";
import { signTransport } from "./link/signed-transport.ts";
import { createLoader } from "./load-version.ts";
import { createBatchSender } from "./log/batch-sender.ts";
import { letGo } from "./log/let-go.ts";
import { type ModelLogs, openModelLogs } from "./log/model-logs.ts";
import { openPredictionLog } from "./log/prediction-log.ts";
import { createSpoolBudget, type SpoolLimits } from "./log/spool-budget.ts";
import { createMemoryUse } from "./memory-use.ts";
import { createModelKeeper, type ModelKeeper } from "./model-keeper.ts";
import type { Ports, TrustedTargets } from "./ports.ts";
import { answersGolden } from "./prove/prove.ts";
import { fetchBundle } from "./receive/fetch-bundle.ts";
import { measuresOf, reportOf } from "./report-model.ts";
import { createModelSlot } from "./serve/model-slot.ts";
import type { ResponseCacheLimits } from "./serve/response-cache.ts";
import type { BesideOptions, BesideVersion } from "./shadow/beside-keeper.ts";
import { openShadowOutbox } from "./shadow/shadow-outbox.ts";
import { createBundleStore } from "./store/bundle-store.ts";
import { noPins, type Pins, pinned } from "./store/life-cycle.ts";
import { createPinStore } from "./store/pins.ts";
import { openDriftOutbox } from "./watch/drift-outbox.ts";
import type { DriftReference, DriftWatch } from "./watch/drift-watch.ts";

export interface AgentOptions {
  /** Predictions without a trip that end a candidate's probation. */
  readonly probation: number;
  /** Everyday life ends this process without notice, as a reload does a page: only a death while loading is a crash. */
  readonly endsAbruptly: boolean;
  /** Bytes that the device may send and receive in a day before models wait; null: no limit. */
  readonly dataBytesPerDay: number | null;
  readonly times: Partial<SessionTimes>;
  /** How much of the disk unsent predictions may take, and how old they may grow. */
  readonly spool: Partial<SpoolLimits>;
  /** Calls once when all requests of this tick have come, so that they run together. Node: `setImmediate`. */
  readonly schedule: (call: () => void) => void;
  /** Of what is asked beside the answers. */
  readonly shadow: BesideOptions["limits"];
  /** By model: the same input again is answered without a run. None where not said. */
  readonly responseCache: Readonly<Record<string, ResponseCacheLimits>>;
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

interface Model {
  readonly keeper: ModelKeeper;
  readonly logs: ModelLogs;
}

/**
 * Resolves when the device serves what it holds, online or not.
 * @throws VedetteError storage_failed where the device's own state cannot be read.
 */
export async function createAgent(given: CreateAgentOptions): Promise<Agent & Measured> {
  const { site, agent, abilities, labels, kernels } = given;
  const { clock, random, storage, key } = given.ports;
  const schedule = given.options?.schedule ?? ((call: () => void) => void clock.after(0, call));
  const topic = topics(site);
  const sessions = await openSessionCounter(given.ports);
  const presenceTopic = topic.presence(agent);
  const transport = signTransport({ transport: given.ports.transport, key, agent, presenceTopic, sessions });
  const ports = { ...given.ports, transport };
  const models = new Map<string, Model>();
  const listeners = new Set<() => void>();
  let online = false;
  /** What the unreadable pins named may be the only model here: nothing is evicted then. */
  let pinsUnreadable = false;
  let stopping: { readonly done: Promise<void> } | undefined;

  const state = await openLinkState(ports);
  const pinStore = createPinStore(storage);
  const store = createBundleStore(ports);
  const spoolBudget = createSpoolBudget(given.options?.spool ?? {}, ports.log);
  const inbox = createInbox(ports.log);
  const requester = createRequester({
    clock,
    random,
    publish: (payload) => transport.publish(topic.request(agent), payload, { qos: 1 }),
  });
  const budget = await openDataBudget({ ...ports, limit: given.options?.dataBytesPerDay ?? null });
  const fetchPorts = { ...ports, budget, store, inbox, requester, topic, agent, abilities };
  const exclusive = createExclusive();
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

  // What answers goes first: what is asked beside it looks anew whether there is room.
  const memory = createMemoryUse(abilities.memoryBytes, () => {
    for (const { keeper } of models.values()) keeper.beside.now();
  });
  const { load, loadBeside, lacksBeside, release } = createLoader({
    ports,
    store,
    memory,
    kernels,
    abi: abilities.kernelAbi,
    outbox: driftOutbox,
    offset: state.offset,
    schedule,
    changed,
  });

  /** One model's damaged pins must not keep the device from serving the others: it is installed again. */
  const loadPins = async (model: string): Promise<Pins> => {
    try {
      return (await pinStore.load(model)) ?? noPins;
    } catch (error) {
      ports.log.error("model.pins_unreadable", { model, code: codeOf(error), why: messageOf(error) });
      pinsUnreadable = true;
      return noPins;
    }
  };

  /** Whose rules answer until a version is in place. */
  const lastKnown = async ({ serving, previous, candidate }: Pins): Promise<{ lastKnown?: { manifest: Manifest } }> => {
    const pin = serving ?? (candidate?.state === "probation" ? candidate : previous);
    if (!pin) return {};
    try {
      const manifest = await store.manifest(pin.digest);
      return manifest ? { lastKnown: { manifest } } : {};
    } catch (error) {
      ports.log.warn("model.manifest_unreadable", { digest: pin.digest, why: messageOf(error) });
      return {};
    }
  };

  const unload = ({ digest, session, drift }: BesideVersion & { drift?: DriftWatch | null }) =>
    closeAll(`version ${digest}`, [() => release(session), () => drift?.close(!stopping)]);

  const addModel = async (model: string): Promise<Model> => {
    const publish = (frame: Uint8Array) => transport.publish(topic.log(agent, model), frame, { qos: 1 });
    const openLog = async (folder: string) => {
      const from = { agent, stream: model, folder, ports, offset: state.offset, budget: spoolBudget };
      const log = await openPredictionLog(from);
      const sender = createBatchSender({ log, sha256: ports.crypto.sha256, publish, clock, random, logger: ports.log });
      return { folder, log, sender };
    };
    const logs = await openModelLogs(model, openLog, (folder) => storage.list(folder));
    const { log } = logs.first;
    const pins = await loadPins(model);
    const slot = createModelSlot({
      model,
      ports,
      log,
      schedule,
      responseCache: given.options?.responseCache?.[model],
      ...(await lastKnown(pins)),
    });
    const keeper = createModelKeeper({
      model,
      ports,
      pins,
      save: (pins) => pinStore.save(model, pins),
      slot,
      rev: () => state.rev,
      probation: given.options?.probation ?? 20,
      endsAbruptly: given.options?.endsAbruptly ?? false,
      fetch: (assigned, trusted) => fetchBundle(assigned, trusted, fetchPorts),
      load,
      unload,
      selfTest: async (version) => {
        const { golden } = version.manifest;
        await answersGolden(version, await store.file(version.manifest, golden.file), ports.backend.name);
      },
      exclusive,
      shadow: {
        load: loadBeside,
        loadToAnswer: (pin, quick) => load(pin, quick, "beside"),
        lacks: lacksBeside,
        unload,
        secondLog: async () => (await logs.second()).log,
        keep: shadowOutbox.of(model),
        idOf: (n) => log.id(n).split(".").slice(-2).join("."),
        offset: state.offset,
        limits: given.options?.shadow,
      },
      evict: async () => {
        if (pinsUnreadable) return;
        const needed = new Set([...models.values()].flatMap((each) => pinned(each.keeper.pins)));
        await store.keep(needed);
        await driftOutbox.keepOnly(needed);
      },
      changed,
    });
    const added = { keeper, logs };
    models.set(model, added);
    if (online) logs.connected();
    return added;
  };

  const raiseFloors = async (floors: Readonly<Record<string, number>>) => {
    await Promise.all([...models.values()].map(({ keeper }) => keeper.raiseFloor(floors[keeper.model] ?? 0)));
  };

  /** What the director assigned, model by model; a model that is not named any more is served no more. */
  const follow = async (assignment: Assignment, trusted: TrustedTargets) => {
    for (const slot of assignment.slots) {
      const { keeper } = models.get(slot.model) ?? (await addModel(slot.model));
      await keeper.assign(slot, assignment.rev, trusted);
    }
    const named = new Set(assignment.slots.map((slot) => slot.model));
    for (const { keeper } of models.values()) {
      if (!named.has(keeper.model)) await keeper.assign(null, assignment.rev, trusted);
    }
  };

  const status = (): Reported => ({
    agent,
    rev: state.rev,
    at: clock.now(),
    abilities,
    labels: { ...labels },
    data: budget.use,
    slots: [...models.values()].map(({ keeper }) => reportOf(keeper)),
  });

  /** Forgets an entity: kept answers at once, logged rows as they are stored above, which erases them as they come. */
  const erase = async ({ model, salt, hash }: Tombstone): Promise<number> => {
    const isErased = async (entity: string) => (await ports.crypto.sha256(entityClaim(salt, entity))) === hash;
    const these = [...models.values()].filter(({ keeper }) => model === null || keeper.model === model);
    const forgotten = await Promise.all(these.map(({ keeper }) => keeper.slot.forget(isErased)));
    const logs = these.flatMap((model) => model.logs.all);
    await Promise.all(logs.map(({ log, folder }) => letGo(log, folder, ports)));
    return forgotten.reduce((sum, count) => sum + count, 0);
  };
  const commands = createCommands({
    agent,
    state,
    ports,
    erase,
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
      [...models.values()].flatMap(({ keeper, logs }) =>
        logs.all.flatMap(({ log }) =>
          log.epochs.map((epoch) => ({ stream: keeper.model, epoch, held: log.held(epoch) })),
        ),
      ),
    report: status,
    spoolBatches: () =>
      [...models.values()].flatMap(({ logs }) => logs.all).reduce((sum, { log }) => sum + log.pending, 0),
    floors: raiseFloors,
    assigned: follow,
    commanded: (command) => void commands.take(command),
    driftAcked: (ack) => driftOutbox.acked(ack),
    asksBeside: () => shadowOutbox.waits || [...models.values()].some(({ keeper }) => keeper.pins.beside !== null),
    shadowAcked: (ack) => shadowOutbox.acked(ack),
    acked: (stream, ack) => models.get(stream)?.logs.acked(ack),
    stored: (all) => {
      for (const { stream, epoch, upTo } of all) models.get(stream)?.logs.stored(upTo, epoch);
    },
    connected: () => {
      online = true;
      driftOutbox.connected();
      shadowOutbox.connected();
      for (const { logs } of models.values()) logs.connected();
    },
    disconnected: () => {
      online = false;
      driftOutbox.disconnected();
      shadowOutbox.disconnected();
      for (const { logs } of models.values()) logs.disconnected();
    },
  });

  const closeModels = () => {
    const steps = [...models.values()].flatMap(({ keeper, logs }) => [
      () => keeper.stop(),
      ...logs.all.map(
        ({ log }) =>
          () =>
            log.close(),
      ),
    ]);
    return closeAll(`the models of ${agent}`, steps);
  };
  const stop = () =>
    closeAll(`agent ${agent}`, [
      ...[...models.values()]
        .flatMap(({ logs }) => logs.all)
        .flatMap(({ log, sender }) => [() => log.cut(), () => sender.disconnected()]),
      () => session.stop(),
      closeModels, // with those that came meanwhile
      () => driftOutbox.close(),
      () => shadowOutbox.close(),
      () => budget.close(),
    ]);

  try {
    for (const model of await pinStore.models()) await addModel(model);
    for (const { keeper } of models.values()) await keeper.boot();
  } catch (error) {
    await budget.close();
    driftOutbox.disconnected();
    shadowOutbox.disconnected();
    await closeModels().catch((late: unknown) => ports.log.error("agent.close_failed", { why: messageOf(late) }));
    throw error;
  }
  session.start();

  const isStopping = () => new VedetteError("not_ready", `agent ${agent} is stopping: ask again when it is back`);
  const isUnknown = (model: string) => {
    const known = [...models.keys()].join(", ") || "none yet";
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
      [...models.values()].map(({ keeper: { model, slot } }) => {
        const { version, manifest, second } = slot;
        const short = (of: { digest: string; release: number }) => ({ digest: of.digest, release: of.release });
        const beside = second ? { second: short(second.version) } : {};
        return { name: model, version: version && short(version), ...beside, manifest };
      }),
    status,
    measures: () => ({
      connected: transport.connected,
      bytes: { ...transport.bytes },
      models: [...models.values()].map(({ keeper, logs }) => measuresOf(keeper, logs)),
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

/** One at a time, in the order asked. */
function createExclusive(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
}
