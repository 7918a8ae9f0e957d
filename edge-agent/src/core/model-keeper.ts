/**
 * Keeps one model as it was assigned: a reconciler between its pins and what its slot serves. Assignments, boots and
 * predictions only say what happened (`life-cycle.ts`); the work here then brings about what the pins ask for, one thing
 * at a time, and may be repeated at any point: receive → verify → prove → serve. What is asked beside it has a keeper of its
 * own, `shadow/beside-keeper.ts`.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { AssignedSlot } from "@vedette/protocol/messages";
import { closeAll } from "./close-all.ts";
import { judgeFailure } from "./judge-failure.ts";
import type { Ports, TrustedTargets } from "./ports.ts";
import type { ModelSlot } from "./serve/model-slot.ts";
import type { ServingVersion } from "./serve/serving-version.ts";
import { type BesideKeeper, type BesideOptions, createBesideKeeper } from "./shadow/beside-keeper.ts";
import { createKeptPins } from "./store/kept-pins.ts";
import { type Candidate, maxStarts, type Pin, type Pins, pinned } from "./store/life-cycle.ts";
import type { RejectReason } from "./store/reject-reason.ts";
import { backoffMs, createRetry } from "./timing.ts";
import { createTripWatch } from "./trip-watch.ts";
import { createVersionsInPlace } from "./versions-in-place.ts";

export interface KeeperOptions {
  readonly model: string;
  readonly ports: Pick<Ports, "clock" | "random" | "log">;
  /** As saved; saving resolves when they would outlive a power failure. */
  readonly pins: Pins;
  save(pins: Pins): Promise<void>;
  readonly slot: ModelSlot;
  /** Highest revision followed. */
  rev(): number;
  /** Predictions that a candidate must answer without a trip. */
  readonly probation: number;
  /** As AgentOptions. */
  readonly endsAbruptly: boolean;
  /** @throws VedetteError as `fetchBundle`. */
  fetch(slot: AssignedSlot, trusted: TrustedTargets): Promise<Manifest>;
  /** @throws VedetteError as `prove`; not_found where the bundle is not here whole. */
  load(pin: Pin, quick: boolean): Promise<ServingVersion>;
  unload(version: ServingVersion): Promise<void>;
  /** Asks a loaded version its golden vectors again. @throws VedetteError proof_failed, model_failed. */
  selfTest(version: ServingVersion): Promise<void>;
  /** Runs one install or eviction of the device at a time. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  /** Removes what no pin of any model names. */
  evict(): Promise<void>;
  /** What is asked beside its answers: loaded, kept and limited so. */
  readonly shadow: Pick<
    BesideOptions,
    "load" | "loadToAnswer" | "lacks" | "unload" | "secondLog" | "keep" | "idOf" | "offset" | "limits"
  >;
  /** Something that a report says has changed. */
  changed(): void;
}

export interface ModelKeeper {
  readonly model: string;
  readonly pins: Pins;
  readonly slot: ModelSlot;
  /** Why the last try came to nothing, while another is to come. */
  readonly trouble: { readonly code: RejectReason; readonly why: string } | undefined;
  /** How far the candidate is that answers on probation. */
  readonly probation: { passed: number; of: number } | undefined;
  readonly beside: Pick<BesideKeeper, "report" | "now">;
  /** Predictions answered by the serving version since it began to serve. */
  served(): number;
  /** Serves what the pins name, without the network. Never throws: a model that will not come up is logged and retried. */
  boot(): Promise<void>;
  /** Nothing under this release serves from now on. Resolves when that is saved. */
  raiseFloor(release: number): Promise<void>;
  /** Takes what a verified assignment says of this model (null: nothing). Resolves when it is saved. */
  assign(slot: AssignedSlot | null, rev: number, trusted: TrustedTargets): Promise<void>;
  /** Ends the work and unloads; a candidate on probation is not blamed for it. */
  stop(): Promise<void>;
}

/** A new process that stood so long, or answered, is no part of a crash loop. */
const livedAfterMs = 30_000;
const retryMs = { firstMs: 1_000, capMs: 300_000 };
/** Before the only version that there is is begun with again, whose processes died: doubled with each of them. */
const restMs = { firstMs: 1_000, capMs: 3_600_000 };

export function createModelKeeper(options: KeeperOptions): ModelKeeper {
  const { model, slot } = options;
  const { clock, random, log } = options.ports;
  const life = createKeptPins(options);
  const { apply } = life;
  /** What may be fetched now: a candidate from before a restart waits for its next assignment. */
  let assigned: { slot: AssignedSlot; trusted: TrustedTargets } | undefined;
  let kept = "";
  let stopped = false;
  /** Digests that this process has fetched whole, and begun to prove. */
  let fetched = "";
  let begun = "";
  let trouble: ModelKeeper["trouble"];
  /** From when on a candidate whose processes died may be begun with, monotonic ms. */
  let rests = { digest: "", until: 0 };

  const place = createVersionsInPlace({
    model,
    slot,
    log,
    allowed: () => ({
      trial: !stopped && life.pins.candidate?.state === "probation" ? life.pins.candidate.digest : undefined,
      serving: stopped ? undefined : life.pins.serving?.digest,
    }),
    placing: () => watch.began(),
    placed() {
      options.changed();
      beside.now();
    },
    unload: options.unload,
  });

  const load = async (pin: Pin, quick: boolean) => {
    place.add(await options.load(pin, quick), pin.served);
  };

  /** Loads the serving version, or the one before it where it is unfit. */
  const restore = async () => {
    while (life.pins.serving && !place.has(life.pins.serving.digest)) {
      try {
        await load(life.pins.serving, true);
      } catch (error) {
        if (stopped) return;
        const failure = judgeFailure(error, true);
        const why = messageOf(error);
        log.error("model.cannot_serve", { model, digest: life.pins.serving.digest, code: codeOf(error), why });
        await apply({ kind: "broken", reason: failure.kind === "lost" ? null : failure.reason, rev: options.rev() });
      }
    }
    await place.align();
  };

  /** What a candidate waits for whose processes died before it could prove itself, and which nothing can stand in for. */
  const resting = ({ digest, starts }: Candidate): ModelKeeper["trouble"] => {
    if (begun === digest || starts < maxStarts || (life.pins.serving ?? life.pins.previous)) return undefined;
    const now = clock.monotonic();
    if (rests.digest !== digest) rests = { digest, until: now + backoffMs(starts - maxStarts, { ...restMs, random }) };
    const left = rests.until - now;
    if (left <= 0) return undefined;
    work.in(left);
    const seconds = Math.ceil(left / 1000);
    return {
      code: "crash_loop",
      why: `${starts} processes of the agent died with it: the next try is in ${seconds} s`,
    };
  };

  /**
   * Takes the candidate as far as it goes. Whatever it awaits, another may have been assigned meanwhile.
   * Answers why it is not tried now, where it is not.
   */
  const install = async ({ digest, state }: Candidate): Promise<ModelKeeper["trouble"]> => {
    const current = () => (life.pins.candidate?.digest === digest && !stopped ? life.pins.candidate : undefined);
    if (state === "fetching") {
      const from = assigned;
      if (!from || from.slot.digest !== digest) return;
      await options.exclusive(() => options.fetch(from.slot, from.trusted));
      if (!current()) return;
      fetched = digest;
      begun = ""; // what was begun before it had to be fetched again is over
      await apply({ kind: "fetched" });
    }
    if (!current()) return;
    if (place.has(digest)) {
      // Loaded by a try whose pins could not be saved.
      await apply({ kind: "proved", forgiven: options.endsAbruptly });
      await place.align();
      return;
    }
    const rest = life.pins.candidate && resting(life.pins.candidate);
    if (rest) return rest;
    // Another try in the same process follows no crash.
    if (begun !== digest) await apply({ kind: "started" });
    begun = digest;
    const candidate = current();
    if (!candidate || candidate.state === "rejected") return;
    await load(candidate, candidate.state === "probation");
    if (current()) await apply({ kind: "proved", forgiven: options.endsAbruptly });
    await place.align();
  };

  /** What becomes of a candidate that failed. @throws where another try may go better. */
  const judge = async ({ digest }: Candidate, error: unknown): Promise<undefined> => {
    const { candidate } = life.pins;
    // Nor is it blamed for a load or a run that ended because the agent stops.
    if (candidate?.digest !== digest || stopped) return undefined;
    const failure = judgeFailure(error, candidate.state !== "fetching" && fetched !== digest);
    const lost = failure.kind === "lost";
    log.error(lost ? "model.lost" : "model.rejected", { model, digest, reason: codeOf(error), why: messageOf(error) });
    await apply(failure);
    if (lost) work.now();
    return undefined;
  };

  const work = createRetry({
    clock,
    random,
    ...retryMs,
    failed: (error, inMs) => {
      trouble = { code: codeOf(error), why: messageOf(error) };
      log.warn("model.retry", { model, ...trouble, inMs });
      options.changed();
    },
    work: async () => {
      if (stopped) return;
      await restore();
      const { candidate } = life.pins;
      let waits: ModelKeeper["trouble"];
      if (candidate && candidate.state !== "rejected") {
        waits = await install(candidate).catch((error: unknown) => judge(candidate, error));
      }
      if (waits && !trouble) log.warn("model.rests", { model, ...waits });
      if (waits) options.changed();
      trouble = waits;
      beside.now();
      const keeping = pinned(life.pins).join();
      if (keeping === kept) return;
      await options.exclusive(options.evict);
      kept = keeping;
    },
  });

  /** Background work of a prediction: its failure is not the asker's. */
  const aside = (what: Promise<void>) => {
    what.catch((error: unknown) => log.error("model.failed", { model, code: codeOf(error), why: messageOf(error) }));
  };
  const onProbation = () =>
    life.pins.candidate?.state === "probation" && slot.version?.digest === life.pins.candidate.digest;
  const watch = createTripWatch({
    model,
    ports: options.ports,
    slot,
    probation: options.probation,
    standing() {
      if (stopped || !slot.version) return null;
      if (onProbation()) return "probation";
      return slot.version.digest === life.pins.serving?.digest ? "serving" : null;
    },
    canReturn: () => life.pins.previous !== null,
    selfTest: options.selfTest,
    trip(reason, why) {
      log.error("model.tripped", { model, digest: slot.version?.digest ?? null, reason, why });
      // The ladder answers until the former version is in place, and memory moves before the disk: at once.
      slot.trip(reason === "latency_budget" ? "latency_budget" : "exception");
      const rev = options.rev();
      const save = apply(onProbation() ? { kind: "failed", reason, why } : { kind: "tripped", reason, why, rev });
      aside(place.align());
      aside(save);
      work.now();
    },
    passed() {
      if (!life.pins.candidate) return;
      aside(apply({ kind: "passed", served: place.servedBy(life.pins.candidate.digest) }));
      aside(place.align());
      work.now();
    },
    answered() {
      if (onProbation()) return options.changed(); // who waits for it sees how far it is
      lived();
    },
  });
  /** Saved once a boot at most. */
  const lived = () => {
    cancelLived();
    if (!life.pins.serving?.starts) return;
    aside(apply({ kind: "lived" }));
    beside.now();
  };
  let cancelLived: () => void = () => {};

  const beside = createBesideKeeper({
    ...options.shadow,
    model,
    ports: options.ports,
    slot,
    endsAbruptly: options.endsAbruptly,
    probation: options.probation,
    selfTest: options.selfTest,
    beside: () => life.pins.beside,
    apply(of) {
      const before = life.pins.beside;
      const saved = apply({ kind: "beside", of });
      if (before?.state !== life.pins.beside?.state) work.now(); // files of what is given up go
      return saved;
    },
    mayLoad(digest) {
      if (stopped || !slot.version || life.pins.serving?.starts) return false;
      const settled = !life.pins.candidate || life.pins.candidate.state === "rejected";
      return settled || [life.pins.serving, life.pins.previous].some((pin) => pin?.digest === digest);
    },
    fetch: options.fetch,
    exclusive: options.exclusive,
    changed: options.changed,
  });

  const served = () =>
    life.pins.serving ? Math.max(life.pins.serving.served, place.servedBy(life.pins.serving.digest)) : 0;
  return {
    model,
    slot,
    get pins() {
      return life.pins;
    },
    get trouble() {
      return trouble;
    },
    get probation() {
      return onProbation() ? { passed: watch.passed, of: options.probation } : undefined;
    },
    beside,
    served,
    async boot() {
      try {
        // Not where each death is an everyday one; and a mark that cannot be saved must not keep a device from serving.
        if (!options.endsAbruptly) await apply({ kind: "booted", rev: options.rev() });
      } catch (error) {
        log.error("model.boot_not_marked", { model, code: codeOf(error), why: messageOf(error) });
      }
      cancelLived = clock.after(livedAfterMs, lived);
      try {
        await restore();
      } catch (error) {
        log.error("model.boot_failed", { model, code: codeOf(error), why: messageOf(error) });
      }
      work.now();
    },
    async raiseFloor(release) {
      await Promise.all([apply({ kind: "floor", release }), place.align()]);
    },
    async assign(next, rev, trusted) {
      assigned = next ? { slot: next, trusted } : undefined;
      trouble = undefined;
      const floor = apply({ kind: "floor", release: trusted.extension.floors[model] ?? 0 });
      const { digest = "", release = 0, length = 0 } = next ?? {};
      const change = apply(
        next ? { kind: "assigned", version: { digest, release, length }, rev } : { kind: "unassigned" },
      );
      await Promise.all([floor, change, place.align(), beside.assign(next, rev, trusted)]);
      // What was saved meanwhile may have outlasted it: nothing is loaded into a process that is about to end.
      if (!stopped) work.now();
    },
    async stop() {
      const servedByNow = served();
      stopped = true;
      work.cancel();
      cancelLived();
      await closeAll(`model ${model}`, [
        beside.stop,
        () => apply({ kind: "stopped", served: servedByNow }),
        place.align,
      ]);
    },
  };
}
