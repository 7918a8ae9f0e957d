/**
 * Hello: who is here and what it holds, and what is believed of the answer. Trust is brought up to date first, and only
 * then the assignment is judged by it and handed on. `session.ts` says when.
 */
import { toHex } from "@vedette/protocol/bytes";
import type { AgentAbilities } from "@vedette/protocol/capability";
import { codeOf } from "@vedette/protocol/errors";
import { type Assignment, type HelloAnswer, helloAnswer, parseMessage, type Request } from "@vedette/protocol/messages";
import type { SignedText } from "@vedette/protocol/signed";
import type { Ports, TrustedTargets } from "../ports.ts";
import { openAssignment } from "./assignment.ts";
import type { LinkState } from "./link-state.ts";
import type { Requester } from "./requester.ts";

export interface HelloOptions {
  readonly site: string;
  readonly agent: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly abilities: AgentAbilities;
  readonly ports: Pick<Ports, "random" | "crypto" | "trust" | "log">;
  readonly requester: Requester;
  readonly state: LinkState;
  /** The spools held here: each model's stream has its acknowledgements. */
  streams(): Extract<Request, { kind: "hello" }>["streams"];
  stored(stored: HelloAnswer["stored"]): void;
  /** Takes the floors, by model, that verified metadata tell of. Resolves when they would outlive this process. */
  floors(floors: TrustedTargets["extension"]["floors"]): Promise<void>;
  /** Follows an assignment that was verified, with the trust it was verified by. Resolves when it is saved, not done. */
  assigned(assignment: Assignment, trusted: TrustedTargets): Promise<void>;
  /** A command, from …/cmd or with the answer to a hello. */
  commanded(command: SignedText): void;
}

type Director = TrustedTargets["extension"]["director"];

/** @returns says hello once. It throws VedetteError where nothing came of it: as `openAssignment`, TrustClient and Requester. */
export function createHello(options: HelloOptions): () => Promise<void> {
  const { site, agent, labels, abilities, requester, state } = options;
  const { random, crypto, trust, log } = options.ports;

  const refresh = (time: number): Promise<TrustedTargets> =>
    trust.refresh(async (file) => {
      try {
        return await requester.ask({ kind: "metadata", file });
      } catch (error) {
        if (codeOf(error) === "not_found") return undefined;
        throw error;
      }
    }, time);

  /**
   * Trust, judged by the right time. The device's clock may be wrong either way: ahead, and all seems expired; behind, and
   * what is expired seems fresh. A director that is already trusted and answers a fresh nonce says what time it is.
   */
  const refreshJudged = async (issuedBy: (director: Director) => Promise<number>) => {
    const reference = state.referenceTime();
    let trusted: TrustedTargets;
    try {
      trusted = await refresh(reference);
    } catch (error) {
      if (codeOf(error) !== "expired" || !state.director) throw error;
      const issued = await issuedBy(state.director);
      log.warn("link.clock_overridden", { clock: reference, issued });
      return refresh(issued);
    }
    const issued = await issuedBy(trusted.extension.director);
    return issued > reference ? refresh(issued) : trusted;
  };

  return async () => {
    const nonce = toHex(random.bytes(16));
    const streams = options.streams();
    const text = await requester.ask({ kind: "hello", nonce, abilities, labels, rev: state.rev, streams });
    const answer = parseMessage(helloAnswer, text, "the answer to hello");
    options.stored(answer.stored);
    if (!answer.assignment) return log.info("link.no_assignment", { why: "the site's trust is not initialised yet" });
    const envelope = answer.assignment;
    const open = (director: Director) =>
      openAssignment(envelope, director, { site, agent, nonce, rev: state.rev }, crypto);

    const trusted = await refreshJudged(async (director) => (await open(director)).issued);
    const assignment = await open(trusted.extension.director);
    state.heardTime(assignment.issued);
    // Before the revision that tells of them: a process that dies in between must not begin again with what was revoked.
    await options.floors(trusted.extension.floors);
    await state.follow(assignment.rev, trusted.extension.director);
    log.info("link.assigned", { rev: assignment.rev, slots: assignment.slots.length });
    await options.assigned(assignment, trusted);
    for (const command of answer.commands) options.commanded(command);
  };
}
