/**
 * Rollouts as the API and the timer use them: starts them, lets operators act on them, and advances those that are live.
 * One at a time: each reads the world, asks the pure engine, and writes what came out in one transaction; then the director
 * decides anew and devices are told. Killed anywhere in between, the next round goes on from what was written.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { ExperimentAct, StartExperiment } from "@vedette/protocol/experiments-api";
import { type RolloutPolicy, type RolloutVerdict, rolloutPolicy } from "@vedette/protocol/rollout";
import type { Replayed, StartRollout } from "@vedette/protocol/rollouts-api";
import type { Database } from "../../db/database.ts";
import type { AuditEntry } from "../../db/records.ts";
import type { Rollout } from "../../db/rollout-records.ts";
import type { Clock, Logger } from "../../ports.ts";
import { createSerial } from "../../serial.ts";
import type { Director } from "../director.ts";
import { checkUnits } from "../experiments/check-units.ts";
import { stop } from "../experiments/stop.ts";
import { type Advanced, advance, isOver } from "./advance.ts";
import { createAskedSince } from "./asked-since.ts";
import { kindOf, machine, subjectOf } from "./audit-names.ts";
import { checkKept } from "./check-kept.ts";
import { checkPolicy } from "./check-policy.ts";
import { checkStart } from "./check-start.ts";
import { inScope } from "./cohort.ts";
import { describeReplay, type Looked } from "./describe-rollout.ts";
import { type Changes, changesOf, forHistory, type Told } from "./history.ts";
import { unjudged } from "./judge-devices.ts";
import { createLookedAt } from "./looked-at.ts";
import { type Act, type ActRequest, operate } from "./operate.ts";
import { putOff } from "./put-off.ts";
import { type Gate, type Moment, readMoment, readWorld } from "./read-world.ts";
import { replay } from "./replay.ts";
import type { DeviceFacts, Judge, World } from "./world.ts";

export interface Rollouts {
  /**
   * @throws VedetteError not_found (model, version, device), revoked, unknown_target, conflict (the gate has not passed it;
   * another rollout has some of the devices), unsupported (no device can take part), invalid_argument (the policy).
   */
  start(request: StartRollout, actor: string): Promise<number>;
  /** @throws VedetteError not_found; conflict and invalid_argument as `operate`. */
  act(id: number, act: Act, request: ActRequest, actor: string): Promise<void>;
  /** Resumed, it goes on where what paused it is over; else it is paused again, and says why. @throws VedetteError as `act`. */
  actOnExperiment(id: number, act: ExperimentAct, reason: string | null, actor: string): Promise<void>;
  /** Advances all that are live. Idempotent. */
  reconcile(): Promise<void>;
  /**
   * What another policy would have done with what happened.
   * @throws VedetteError not_found, invalid_argument, conflict (what it rests on is not kept any more).
   */
  replay(id: number, policy: RolloutPolicy): Promise<Replayed>;
  /** A rollout, or experiment, with its devices as they are now. @throws VedetteError not_found. */
  look(id: number, as?: Kind): Promise<Looked>;
  /**
   * An experiment is a rollout with a plan: numbered with them, and never beside one.
   * @throws VedetteError as `start`; unsupported where its units could not be told apart.
   */
  startExperiment(request: StartExperiment, actor: string): Promise<number>;
  /** @param keep candidate: it becomes the rule of the experiment's devices. @throws VedetteError not_found, conflict. */
  stopExperiment(id: number, keep: "incumbent" | "candidate", reason: string | null, actor: string): Promise<void>;
}

/** What a number is asked for as. */
type Kind = "rollout" | "experiment";

export interface RolloutPorts {
  readonly db: Database;
  readonly director: Director;
  readonly online: (agent: string) => boolean;
  readonly gate: Gate;
  readonly judge: Judge;
  /** One for each replay, that is asked of moments of the past; `judge` where there is no other. */
  readonly judgeOfPast?: () => Judge;
  /** That never goes back. */
  readonly clock: Clock;
  readonly wall: Clock;
  readonly logger: Logger;
  /** Hex, once a rollout. */
  readonly salt: () => string;
  /** Brings every device's assignment up to date, and tells those whose changed. */
  readonly assign: () => Promise<void>;
}

export function createRollouts(ports: RolloutPorts): Rollouts {
  const { db, clock, logger } = ports;
  const { judgeOfPast = () => ports.judge } = ports;
  const serial = createSerial();
  /** What each rollout's history last told, so that only changes are written; what a restart forgot is told anew. */
  const told = new Map<number, Told>();
  const lookedAt = createLookedAt(db);
  const askedSince = createAskedSince();
  const askedOf = (rollout: Rollout, { fleet, now }: Moment) =>
    askedSince.look(
      rollout,
      fleet.map(({ device }) => device),
      now,
    );

  async function find(id: number, as: Kind = "rollout"): Promise<Rollout> {
    const found = await db.rollouts.find(id);
    const kind = found ? kindOf(found) : as;
    if (found && kind === as) return found;
    const why = found
      ? `${id} is the number of ${kind === "rollout" ? "a rollout" : "an experiment"}`
      : `there is no ${as} ${id}`;
    throw new VedetteError("not_found", `${why}: \`vedette ${kind} list\` shows those there are`);
  }

  async function write(
    before: Rollout,
    advanced: Advanced,
    actor: string,
    now: number,
    changes?: Changes,
  ): Promise<void> {
    const { rollout: after, decisions } = advanced;
    const { model, version } = after;
    const told = after.experiment
      ? decisions.map(({ action, detail }) => ({ action: action.replace(/^rollout/, "experiment"), detail }))
      : decisions;
    const entries = told.map(({ action, detail }): AuditEntry => {
      return {
        at: now,
        actor,
        action,
        subject: subjectOf(after),
        detail: { model, version, ...detail },
      };
    });
    const promoted = after.state === "promoted" && before.state !== "promoted";
    const rule = { model, version, selector: after.policy.selector, createdAt: now };
    const history = changes && { at: now, changes };
    await db.rollouts.commit({ before, after, entries, rule: promoted ? rule : undefined, history });
    for (const { action, detail } of told) logger.info(action, { rollout: after.id, model, version, ...detail });
  }

  /** What devices themselves say still counts where the lake, or what else the evidence is read from, does not answer. */
  async function judged(rollout: Rollout, devices: readonly DeviceFacts[], now: number): Promise<RolloutVerdict> {
    try {
      return await ports.judge(rollout, devices, now);
    } catch (error) {
      logger.error("rollouts.not_judged", { rollout: rollout.id, why: messageOf(error) });
      return unjudged(rollout, messageOf(error));
    }
  }

  /** Answers what became of it, and whether devices are to be told. */
  async function advanceOne(rollout: Rollout, moment: Moment): Promise<{ after: Rollout; assign: boolean }> {
    const facts = await readWorld(rollout, moment, ports);
    const verdict = rollout.members.size === 0 ? null : await judged(rollout, facts.devices, moment.now);
    const world: World = { ...facts, verdict };
    const advanced = advance(rollout, world, moment.now);
    askedOf(advanced.rollout, moment);
    const before = told.get(rollout.id);
    const about = inScope(rollout, world.devices).map((device) => forHistory(device, rollout.policy.served));
    const times = { now: moment.now, began: rollout.createdAt };
    // An experiment has no policy that another one could be held against.
    const unchanged = { changes: undefined, told: undefined };
    const { changes, told: now } = rollout.experiment ? unchanged : changesOf(before, world, about, times);
    if (advanced.rollout === rollout && advanced.decisions.length === 0 && !changes)
      return { after: rollout, assign: false };
    await write(rollout, advanced, machine, moment.now, changes);
    if (isOver(advanced.rollout.state)) told.delete(rollout.id);
    else if (now) told.set(rollout.id, now);
    const { members, stage, state } = advanced.rollout;
    const assign = members !== rollout.members || stage !== rollout.stage || isOver(state);
    return { after: advanced.rollout, assign };
  }

  /** Gives back what nobody looked at. */
  async function withTime(rollout: Rollout, now: number): Promise<Rollout> {
    const missedMs = await lookedAt.missedMs(rollout.id, now);
    const late = putOff(rollout, missedMs, now);
    if (late.rollout !== rollout) await write(rollout, late, machine, now, { missedMs });
    return late.rollout;
  }

  async function round(): Promise<void> {
    if ((await db.rollouts.live()).length === 0) return;
    const moment = await readMoment(ports);
    let assign = false;
    let { live } = moment;
    for (const rollout of moment.live) {
      try {
        const one = await advanceOne(await withTime(rollout, moment.now), { ...moment, live });
        lookedAt.looked(rollout.id, moment.now);
        assign ||= one.assign;
        // Later ones see whom it took just now. One that is over keeps its devices in this round: what the rules are then the next reads.
        if (!isOver(one.after.state)) live = live.map((other) => (other === rollout ? one.after : other));
      } catch (error) {
        // One that cannot be advanced must not hold up the others.
        logger.error("rollouts.not_advanced", { rollout: rollout.id, why: messageOf(error) });
      }
    }
    await lookedAt.note(moment.now);
    if (assign) await ports.assign();
  }

  return {
    reconcile: () => serial(round),
    look: (id, as) =>
      // In turn, so that nobody sees the half of a round.
      serial(async () => {
        const rollout = await find(id, as);
        const moment = await readMoment(ports);
        return { rollout, world: await readWorld(rollout, moment, ports), asked: askedOf(rollout, moment) };
      }),
    async replay(id, policy) {
      checkPolicy(policy);
      const rollout = await find(id);
      checkKept(rollout, policy, clock.now());
      const steps = (await db.rollouts.history(id)).map(({ at, changes }) => ({ at, changes: changes as Changes }));
      // A judge of its own: what a replay reads is not what the rollout itself is judged by.
      return describeReplay(rollout, await replay(rollout, policy, steps, judgeOfPast()));
    },
    start: (request, actor) =>
      serial(async () => {
        const moment = await readMoment(ports);
        const { draft } = await checkStart(request, actor, moment, ports);
        const { model, version, policy } = request;
        const id = await db.rollouts.create(draft, (made) => ({
          at: moment.now,
          actor,
          action: "rollout.start",
          subject: subjectOf({ id: made, experiment: null }),
          detail: { model, version, digest: draft.digest, policy, gate: draft.why },
        }));
        await round();
        return id;
      }),
    startExperiment: ({ model, version, selector, plan }, actor) =>
      serial(async () => {
        const moment = await readMoment(ports);
        const policy = rolloutPolicy.parse({ selector, stages: [{ kind: "canary", share: 1 }] });
        const request = { model, version, policy, queue: false };
        const { draft, devices } = await checkStart(request, actor, moment, ports, plan);
        await checkUnits({ ...draft, id: 0 }, devices, moment.now, (digest) => db.versions.manifest(digest));
        const id = await db.rollouts.create(draft, (made) => ({
          at: moment.now,
          actor,
          action: "experiment.start",
          subject: subjectOf({ id: made, experiment: plan }),
          detail: { model, version, digest: draft.digest, selector, plan, gate: draft.why },
        }));
        await round();
        return id;
      }),
    stopExperiment: (id, keep, reason, actor) =>
      serial(async () => {
        await find(id, "experiment");
        // What was revoked, or is not let pass by the gate any more, since the last round ends it as such, and is not kept.
        await round();
        const experiment = await find(id, "experiment");
        const now = clock.now();
        await write(experiment, stop(experiment, keep, reason, actor, now), actor, now);
        return ports.assign();
      }),
    act: (id, act, request, actor) =>
      serial(async () => {
        const rollout = await find(id);
        const now = clock.now();
        await write(rollout, operate(rollout, act, request, now), actor, now, { act });
        if (act === "abort") {
          told.delete(id);
          return ports.assign();
        }
        await round();
      }),
    actOnExperiment: (id, act, reason, actor) =>
      serial(async () => {
        const experiment = await find(id, "experiment");
        const now = clock.now();
        await write(experiment, operate(experiment, act, { reason }, now), actor, now);
        await round();
      }),
  };
}
