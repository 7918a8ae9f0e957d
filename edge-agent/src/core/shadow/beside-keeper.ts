/**
 * Keeps a second version beside the one in place as it was assigned: a reconciler between the beside pin and a loaded
 * session. receive → verify → prove → ask (`ask-beside.ts`), or answer some of the entities (`answer-beside.ts`); it never
 * puts a version in place. `model-keeper.ts` owns it and says when something has changed.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { AssignedSlot, ReportedSlot } from "@vedette/protocol/messages";
import type { Split } from "@vedette/protocol/split";
import { judgeFailure } from "../judge-failure.ts";
import type { Ports, TrustedTargets } from "../ports.ts";
import type { ModelSlot } from "../serve/model-slot.ts";
import type { SlotLog } from "../serve/place.ts";
import type { ServingVersion } from "../serve/serving-version.ts";
import type { Pin } from "../store/life-cycle.ts";
import type { RejectReason } from "../store/reject-reason.ts";
import { createRetry, createTimer } from "../timing.ts";
import { type BesideAnswerer, createBesideAnswerer } from "./answer-beside.ts";
import { type BesideAsker, type BesideLimits, createBesideAsker } from "./ask-beside.ts";
import { type Beside, type BesideEvent, sameSplit } from "./beside-life.ts";
import { createPairWatch, type PairLimits } from "./pair-watch.ts";
import type { ShadowKeep } from "./shadow-outbox.ts";

type Loaded =
  | { readonly answers: false; readonly version: BesideVersion }
  | { readonly answers: true; readonly version: ServingVersion };

/** What may be loaded to be asked: no drift of its own is watched. */
export type BesideVersion = Pick<ServingVersion, "digest" | "manifest" | "session">;

export interface BesideOptions {
  readonly model: string;
  readonly ports: Pick<Ports, "clock" | "random" | "log">;
  readonly slot: Pick<ModelSlot, "version" | "waits" | "askBeside" | "split" | "counters">;
  readonly keep: ShadowKeep;
  /** As pinned now. */
  beside(): Beside | null;
  /** Moves the pin at once; resolves when it is saved. */
  apply(event: BesideEvent): Promise<void>;
  /**
   * Whether a version may be loaded now: not while one that answers has yet to prove itself, so that what ends the process
   * is not laid at the wrong door.
   */
  mayLoad(digest: string): boolean;
  /** As AgentOptions. */
  readonly endsAbruptly: boolean;
  /** @throws VedetteError as `fetchBundle`. */
  fetch(slot: AssignedSlot, trusted: TrustedTargets): Promise<Manifest>;
  /** @throws VedetteError as `prove`; not_found where the bundle is not here whole. */
  load(digest: string, quick: boolean): Promise<BesideVersion>;
  /** Loads it as one that answers. @throws VedetteError as `load`. */
  loadToAnswer(pin: Pick<Pin, "digest" | "release">, quick: boolean): Promise<ServingVersion>;
  /** Why there is no memory for it beside what answers, for people; null where there is. @throws VedetteError as `load`. */
  lacks(digest: string): Promise<string | null>;
  unload(version: BesideVersion | ServingVersion): Promise<void>;
  /** Where its own answers are logged. @throws VedetteError storage_failed. */
  secondLog(): Promise<SlotLog>;
  /** As KeeperOptions. */
  readonly probation: number;
  selfTest(version: ServingVersion): Promise<void>;
  /** `epoch.n` of a prediction's number. */
  idOf(n: number): string;
  /** ms to add to the device's clock to reach the control plane's; null before it is known. */
  offset(): number | null;
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  changed(): void;
  readonly limits?: Partial<BesideLimits & PairLimits> | undefined;
}

export interface BesideKeeper {
  /** Takes what a verified assignment says of the slot (null: nothing). Resolves when it is saved. */
  assign(slot: AssignedSlot | null, rev: number, trusted: TrustedTargets): Promise<void>;
  /** Something that it goes by has changed. */
  now(): void;
  report(): Pick<ReportedSlot, "beside">;
  stop(): Promise<void>;
}

/** A process that stood so long with it is no part of a crash loop. */
const livedAfterMs = 600_000;
const retryMs = { firstMs: 1_000, capMs: 300_000 };

export function createBesideKeeper(options: BesideOptions): BesideKeeper {
  const { model, slot, keep, apply } = options;
  const { clock, random, log } = options.ports;
  /** What may be fetched now: after a restart, that waits for the next assignment. */
  let assigned: { slot: AssignedSlot; trusted: TrustedTargets } | undefined;
  let loaded: Loaded | undefined;
  let asker: BesideAsker | undefined;
  let answerer: BesideAnswerer | undefined;
  let asking: { answering: string; sample: number; split: Split | undefined } | undefined;
  /** Digests that this process has fetched whole, and begun with. */
  let fetched = "";
  let begun = "";
  let stopped = false;
  let trouble: { code: string; why: string } | undefined;

  const wanted = () => {
    const beside = options.beside();
    return stopped || beside?.state === "rejected" ? null : beside;
  };
  const lived = createTimer(clock, () => aside(apply({ kind: "lived" })));

  /** Whether what is loaded is what the pin wants, loaded as it wants it. */
  const isLoaded = (now: Beside | null | undefined) =>
    loaded !== undefined && loaded.version.digest === now?.digest && loaded.answers === (now.split !== undefined);

  /** Asks no more of what is not wanted any more, and gives its memory back. */
  const drop = async () => {
    const now = wanted();
    const version = slot.version?.digest;
    const goesOn =
      isLoaded(now) &&
      asking?.answering === now?.answering &&
      asking?.sample === now?.sample &&
      sameSplit(asking?.split, now?.split);
    if (!goesOn || version !== asking?.answering)
      await cease(!stopped && (!isLoaded(now) || now?.answering !== asking?.answering));
    if (!stopped && !options.beside()) keep.end();
    if (!isLoaded(now)) await leave();
  };

  /** @param over the pair is done with. */
  const cease = async (over: boolean) => {
    if (!asking) return;
    slot.askBeside(null);
    asker?.close(over);
    await answerer?.close();
    asker = undefined;
    answerer = undefined;
    asking = undefined;
  };

  const leave = async () => {
    if (!loaded) return;
    const leaving = loaded.version;
    loaded = undefined;
    lived.cancel();
    log.info("shadow.unloaded", { model, digest: leaving.digest });
    await options.unload(leaving);
  };

  /** Takes the version as far as it goes. Whatever it awaits, another may have been assigned meanwhile. */
  const bring = async ({ digest }: Beside) => {
    const current = () => {
      const now = wanted();
      return now?.digest === digest ? now : undefined;
    };
    if (current()?.state === "fetching") {
      const from = assigned;
      const beside = from?.slot.beside;
      if (!from || beside?.digest !== digest) return;
      const { release, length } = beside;
      await options.exclusive(() => options.fetch({ model, digest, release, length }, from.trusted));
      fetched = digest;
      begun = "";
      await apply({ kind: "fetched" });
    }
    if (!current()) return;
    const lacks = await options.lacks(digest);
    if (lacks !== null) {
      // Also where it is loaded already, and what answers has come since. Tried again: others may go.
      await cease(false);
      await leave();
      throw new VedetteError("lacks_memory", lacks);
    }
    if (!isLoaded(current())) {
      if (!current() || !options.mayLoad(digest)) return;
      // Another try in the same process follows no crash.
      if (begun !== digest) await apply({ kind: "started" });
      begun = digest;
      const before = current();
      if (!before) return;
      const quick = before.state === "asking";
      const loading: Loaded = before.split
        ? { answers: true, version: await options.loadToAnswer(before, quick) }
        : { answers: false, version: await options.load(digest, quick) };
      if (!current()) return options.unload(loading.version);
      loaded = loading;
      lived.in(livedAfterMs);
    }
    // Also where a try before this one could not save it.
    await apply({ kind: "proved", forgiven: options.endsAbruptly });
    await ask();
  };

  /** Joins the two, once the one that it is held against is the one that answers. */
  const ask = async () => {
    const now = wanted();
    const version = slot.version;
    if (asking || !now || !loaded || !isLoaded(now) || version?.digest !== now.answering) return;
    const { sample, answering, split } = now;
    if (loaded.answers && split) return answer(loaded.version, version, now, split);
    const beside = loaded.version;
    const watch = createPairWatch({
      ...{ answering: version, beside, keep, clock },
      offset: options.offset,
      // Who waits for evidence sees it come.
      cut: options.changed,
      ...limitsOf(options),
    });
    asker = createBesideAsker({
      answering: version,
      beside,
      sample,
      watch,
      ports: options.ports,
      busy: () => slot.waits,
      idOf: options.idOf,
      failed: (reason, why) => giveUp(now, reason, why),
      ...limitsOf(options),
    });
    asking = { answering, sample, split };
    slot.askBeside(asker);
    log.info("shadow.asking", { model, answering, sample, beside: now.digest });
  };

  /** Lets it answer the entities that it is to. */
  const answer = async (version: ServingVersion, inPlace: ServingVersion, now: Beside, split: Split) => {
    const { answering, sample } = now;
    answerer = await createBesideAnswerer({
      ...{ model, slot, version, split, answering: inPlace, counters: slot.counters },
      ...{ probation: options.probation, selfTest: options.selfTest, changed: options.changed, ports: options.ports },
      log: await options.secondLog(),
      tripped: (reason, why) => giveUp(now, reason, why),
    });
    asking = { answering, sample, split };
    log.info("split.answering", { model, answering, share: split.share, beside: now.digest });
    options.changed();
  };

  const giveUp = ({ digest }: Beside, reason: RejectReason, why: string) => {
    log.error("shadow.given_up", { model, digest, reason, why });
    aside(apply({ kind: "failed", reason, why }));
    work.now();
  };

  /** What becomes of it when it failed. @throws where another try may go better. */
  const judge = async ({ digest }: Beside, error: unknown) => {
    const now = options.beside();
    if (now?.digest !== digest || stopped) return;
    const failure = judgeFailure(error, now.state !== "fetching" && fetched !== digest);
    const event = failure.kind === "lost" ? "shadow.lost" : "shadow.rejected";
    log.error(event, { model, digest, reason: codeOf(error), why: messageOf(error) });
    await apply(failure);
    work.now();
  };

  const work = createRetry({
    clock,
    random,
    ...retryMs,
    failed: (error, inMs) => {
      trouble = { code: codeOf(error), why: messageOf(error) };
      log.warn("shadow.retry", { model, ...trouble, inMs });
      options.changed();
    },
    work: async () => {
      await drop();
      const now = wanted();
      if (now) await bring(now).catch((error: unknown) => judge(now, error));
      trouble = undefined;
    },
  });

  const look = () => {
    // Nothing to do is the usual thing.
    if (options.beside() || loaded || keep.saved) work.now();
  };

  /** Background work: its failure is nobody's answer. */
  const aside = (what: Promise<void>) => {
    what.catch((error: unknown) => log.error("shadow.failed", { model, code: codeOf(error), why: messageOf(error) }));
  };

  return {
    async assign(next, rev, trusted) {
      assigned = next ? { slot: next, trusted } : undefined;
      trouble = undefined;
      const { beside, digest: answering } = next ?? {};
      // Nothing is held against itself.
      if (!beside || answering === undefined || beside.digest === answering) await apply({ kind: "withdrawn" });
      else await apply({ kind: "assigned", version: { ...beside, answering }, rev });
      look();
    },
    now: look,
    report() {
      const beside = options.beside();
      if (!beside) return {};
      const { digest, release, answering } = beside;
      const joined = beside.split && asking ? "answering" : "proving";
      const state = beside.split && beside.state === "asking" ? joined : beside.state;
      const reason = beside.reason ?? trouble?.code;
      const why = beside.why ?? trouble?.why;
      const of = keep.saved;
      const same = of?.answering === answering && of.beside === digest;
      return {
        beside: {
          ...{ digest, release, state, answering },
          ...(reason ? { reason } : {}),
          ...(why ? { why: why.slice(0, 1000) } : {}),
          pairs: same ? keep.pairs : 0,
          skipped: same ? keep.skipped : 0,
          ...(answerer ? { served: answerer.served } : {}),
        },
      };
    },
    async stop() {
      stopped = true;
      work.cancel();
      if (begun !== "" && begun === options.beside()?.digest) aside(apply({ kind: "stopped" }));
      await drop();
    },
  };
}

function limitsOf({ limits }: BesideOptions): { limits?: Partial<BesideLimits & PairLimits> } {
  return limits ? { limits } : {};
}
