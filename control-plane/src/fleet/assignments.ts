/**
 * Assigning: a rule is written, then the whole fleet is decided anew and those whose assignment changed get a hint. The
 * hint may be lost; the signed assignment comes with the device's next hello all the same.
 */
import type { assignAnswer, assignRequest } from "@vedette/protocol/api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { z } from "zod";
import type { Database } from "../db/database.ts";
import type { DeviceRecord, Selector } from "../db/records.ts";
import type { Clock, Logger } from "../ports.ts";
import { matches, refusal } from "../release/decide-slots.ts";
import type { Director } from "../release/director.ts";
import { refuseWhileRolling } from "../release/rollouts/refuse-assign.ts";
import type { TrustRepository } from "../release/trust-repository.ts";
import { noRoot } from "../release/trust-state.ts";

export interface Assignments {
  /**
   * Makes a standing rule: devices that match later, by enrolling or by new labels, follow it too. Answers who follows
   * it now; devices that lack what the version needs do not, and `production` says why.
   * @throws VedetteError trust_not_initialised, not_found (model, version, device), revoked, unknown_target,
   * conflict (a rollout has some of the devices), unsupported (a device named,
   * or every device that matches, lacks what the version needs).
   */
  assign(request: z.infer<typeof assignRequest>, actor: string): Promise<z.infer<typeof assignAnswer>>;
  /** Brings every device's assignment up to date with rules and signed metadata. Idempotent. */
  reconcile(): Promise<void>;
  /** As `reconcile`, and every device gets a new revision, so that it says hello and learns of new signed metadata. */
  announce(): Promise<void>;
}

export function createAssignments(ports: {
  db: Database;
  trust: TrustRepository;
  director: Director;
  clock: Clock;
  logger: Logger;
  /** Tells a device that its assignment changed. */
  hint: (agent: string, rev: number) => Promise<void>;
  /** Makes the chunks of what is assigned ready to be fetched. */
  offer: () => Promise<void>;
}): Assignments {
  const { db, trust, director, clock, logger, hint, offer } = ports;

  async function tell(anew: boolean): Promise<void> {
    const changes = await director.decideAll(anew);
    if (changes.length > 0) logger.info("assignments.changed", { devices: changes.length });
    await offer();
    for (const { agent, rev } of changes) {
      try {
        await hint(agent, rev);
      } catch (error) {
        logger.warn("assignments.hint_failed", { agent, rev, why: messageOf(error) });
      }
    }
  }

  /** The devices that a selector names now. */
  async function selected(selector: Selector): Promise<DeviceRecord[]> {
    const devices = (await db.devices.list()).filter((device) => device.revokedAt === null);
    if ("devices" in selector) {
      const enrolled = new Set(devices.map((device) => device.agent));
      const unknown = selector.devices.filter((agent) => !enrolled.has(agent));
      if (unknown.length > 0) {
        throw new VedetteError(
          "not_found",
          `no device is enrolled as ${some(unknown)}: \`vedette device list\` shows those that are`,
        );
      }
    }
    return devices.filter((device) => matches(selector, device));
  }

  const reconcile = () => tell(false);
  return {
    reconcile,
    announce: () => tell(true),
    async assign({ model, version, selector }, actor) {
      if (trust.rootSha256 === null) throw noRoot();
      const ofModel = (await director.candidates()).filter((candidate) => candidate.model === model);
      if (ofModel.length === 0) throw new VedetteError("not_found", `there is no model ${model}: publish it first`);
      const candidate = ofModel.find((one) => one.version === version);
      if (version !== null && !candidate) {
        const have = ofModel.map((one) => one.version).join(", ");
        throw new VedetteError("not_found", `${model} has no version ${version}; it has ${have}`);
      }
      const name = `${model} version ${version}`;
      if (candidate?.assignable === "revoked") {
        throw new VedetteError("revoked", `${name} is below the floor of the signed targets: choose a later version`);
      }
      if (candidate?.assignable === "not listed") {
        throw new VedetteError("unknown_target", `${name} is no longer listed by its project: choose another version`);
      }
      await refuseWhileRolling(db, model, selector);
      const devices = await selected(selector);
      const refused = devices.flatMap((device) => (candidate && refusal(candidate, device)) ?? []);
      const allNamed = "devices" in selector;
      if (refused.length > 0 && (allNamed || refused.length === devices.length)) {
        throw new VedetteError("unsupported", `nothing was assigned: ${some(refused)}`);
      }
      if (refused.length > 0) logger.warn("assignments.withheld", { model, version, devices: refused.length });

      const at = clock.now();
      await db.assignments.add(
        { model, version, selector, createdAt: at },
        { at, actor, action: "assignment.create", subject: model, detail: { version, selector } },
      );
      await reconcile();
      const follow = devices.filter((device) => !candidate || refusal(candidate, device) === undefined);
      return { devices: follow.map((device) => device.agent), model, version, digest: candidate?.digest ?? null };
    },
  };
}

function some(items: readonly string[]): string {
  return items.length <= 5 ? items.join("; ") : `${items.slice(0, 5).join("; ")}; and ${items.length - 5} more`;
}
