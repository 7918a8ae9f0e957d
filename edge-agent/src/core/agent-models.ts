/**
 * The models of one agent: of each its keeper and its logs, opened from what the device holds, or when it is first assigned. Here
 * is also what they share: memory, the spool's part of the disk, one install at a time.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import type { AgentAbilities } from "@vedette/protocol/capability";
import { entityClaim, type Tombstone } from "@vedette/protocol/erasure";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { AssignedSlot, Assignment } from "@vedette/protocol/messages";
import { closeAll } from "./close-all.ts";
import type { LinkState } from "./link/link-state.ts";
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
import { createModelSlot } from "./serve/model-slot.ts";
import type { ResponseCacheLimits } from "./serve/response-cache.ts";
import type { BesideOptions, BesideVersion } from "./shadow/beside-keeper.ts";
import type { ShadowOutbox } from "./shadow/shadow-outbox.ts";
import type { BundleStore } from "./store/bundle-store.ts";
import { noPins, type Pins, pinned } from "./store/life-cycle.ts";
import { createPinStore } from "./store/pins.ts";
import type { DriftOutbox } from "./watch/drift-outbox.ts";
import type { DriftReference, DriftWatch } from "./watch/drift-watch.ts";

/** How all models of an agent are kept. */
export interface ModelOptions {
  /** Predictions without a trip that end a candidate's probation. */
  readonly probation: number;
  /** Everyday life ends this process without notice, as a reload does a page: only a death while loading is a crash. */
  readonly endsAbruptly: boolean;
  /** How much of the disk unsent predictions may take, and how old they may grow. */
  readonly spool: Partial<SpoolLimits>;
  /** Of what is asked beside the answers. */
  readonly shadow: BesideOptions["limits"];
  /** By model: the same input again is answered without a run. None where not said. */
  readonly responseCache: Readonly<Record<string, ResponseCacheLimits>>;
}

interface AgentModel {
  readonly keeper: ModelKeeper;
  readonly logs: ModelLogs;
}

export interface AgentModels {
  readonly all: readonly AgentModel[];
  get(model: string): AgentModel | undefined;
  /** Those that the device holds. Resolves when they serve. @throws VedetteError storage_failed. */
  open(): Promise<void>;
  /** What the director assigned, model by model; a model that is not named any more is served no more. */
  follow(assignment: Assignment, trusted: TrustedTargets): Promise<void>;
  /** By model; resolves when nothing below serves, and that is saved. */
  raiseFloors(floors: Readonly<Record<string, number>>): Promise<void>;
  /** Forgets an entity: kept answers at once, logged rows as they are stored above, which erases them as they come. */
  forget(tombstone: Tombstone): Promise<number>;
  connected(): void;
  disconnected(): void;
  /** Before the agent's goodbye: closes the batches under way, and sends no more. */
  cut(): Promise<void>;
  /** Ends all of them. @throws VedetteError what one of them threw, once all were tried. */
  close(): Promise<void>;
}

export function createAgentModels(given: {
  agent: string;
  abilities: AgentAbilities;
  kernels: { openReference(bytes: Uint8Array): DriftReference };
  ports: Ports;
  state: Pick<LinkState, "rev" | "offset">;
  store: BundleStore;
  driftOutbox: DriftOutbox;
  shadowOutbox: ShadowOutbox;
  schedule: (call: () => void) => void;
  options: Partial<ModelOptions>;
  /** Sends a batch of a model's log. */
  publish(model: string, frame: Uint8Array): Promise<void>;
  /** @throws VedetteError as `fetchBundle`. */
  fetch(slot: AssignedSlot, trusted: TrustedTargets): Promise<Manifest>;
  /** Something that a report says has changed. */
  changed(): void;
}): AgentModels {
  const { agent, abilities, kernels, ports, state, store, driftOutbox, shadowOutbox, schedule, options, changed } =
    given;
  const { clock, random, storage } = ports;
  const models = new Map<string, AgentModel>();
  const pinStore = createPinStore(storage);
  const spoolBudget = createSpoolBudget(options.spool ?? {}, ports.log);
  const exclusive = createExclusive();
  let online = false;
  let stopping = false;
  /** What the unreadable pins named may be the only model here: nothing is evicted then. */
  let pinsUnreadable = false;

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

  const add = async (model: string): Promise<AgentModel> => {
    const publish = (frame: Uint8Array) => given.publish(model, frame);
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
      responseCache: options.responseCache?.[model],
      ...(await lastKnown(pins)),
    });
    const keeper = createModelKeeper({
      model,
      ports,
      pins,
      save: (pins) => pinStore.save(model, pins),
      slot,
      rev: () => state.rev,
      probation: options.probation ?? 20,
      endsAbruptly: options.endsAbruptly ?? false,
      fetch: given.fetch,
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
        limits: options.shadow,
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

  return {
    get all() {
      return [...models.values()];
    },
    get: (model) => models.get(model),
    async open() {
      for (const model of await pinStore.models()) await add(model);
      for (const { keeper } of models.values()) await keeper.boot();
    },
    async follow(assignment, trusted) {
      for (const slot of assignment.slots) {
        const { keeper } = models.get(slot.model) ?? (await add(slot.model));
        await keeper.assign(slot, assignment.rev, trusted);
      }
      const named = new Set(assignment.slots.map((slot) => slot.model));
      for (const { keeper } of models.values()) {
        if (!named.has(keeper.model)) await keeper.assign(null, assignment.rev, trusted);
      }
    },
    async raiseFloors(floors) {
      await Promise.all([...models.values()].map(({ keeper }) => keeper.raiseFloor(floors[keeper.model] ?? 0)));
    },
    async forget({ model, salt, hash }) {
      const isErased = async (entity: string) => (await ports.crypto.sha256(entityClaim(salt, entity))) === hash;
      const these = [...models.values()].filter(({ keeper }) => model === null || keeper.model === model);
      const forgotten = await Promise.all(these.map(({ keeper }) => keeper.slot.forget(isErased)));
      const logs = these.flatMap((model) => model.logs.all);
      await Promise.all(logs.map(({ log, folder }) => letGo(log, folder, ports)));
      return forgotten.reduce((sum, count) => sum + count, 0);
    },
    connected() {
      online = true;
      for (const { logs } of models.values()) logs.connected();
    },
    disconnected() {
      online = false;
      for (const { logs } of models.values()) logs.disconnected();
    },
    cut() {
      stopping = true;
      const logs = [...models.values()].flatMap((model) => model.logs.all);
      return closeAll(
        `the logs of ${agent}`,
        logs.flatMap(({ log, sender }) => [() => log.cut(), () => sender.disconnected()]),
      );
    },
    close() {
      const steps = [...models.values()].flatMap(({ keeper, logs }) => [
        () => keeper.stop(),
        ...logs.all.map(
          ({ log }) =>
            () =>
              log.close(),
        ),
      ]);
      return closeAll(`the models of ${agent}`, steps);
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
