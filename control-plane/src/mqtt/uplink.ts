/**
 * What devices say, parsed once and handed to the fleet or the ingestion. PUBACK went out before and proves nothing:
 * requests are answered, batches are acknowledged after their commit, and all of it may be repeated by the device.
 */

import { fromUtf8 } from "@vedette/protocol/bytes";
import { commandOutcome } from "@vedette/protocol/commands";
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { heartbeat, parseMessage, presence, pull, type Request, reported, request } from "@vedette/protocol/messages";
import { parseTopic, type Topic, topics } from "@vedette/protocol/topics";
import { z } from "zod";
import type { Clock, Fleet, Ingestion, Logger } from "../ports.ts";
import type { BlobCache } from "./blob-cache.ts";
import type { BrokerLimits } from "./limits.ts";
import { responseError, responseParts } from "./response-parts.ts";
import type { Session, Sessions } from "./sessions.ts";

/** ms between signs of life that the fleet is told of. */
const seenEveryMs = 10_000;

/** Takes a device's message on a topic that it may publish to. Never throws; what fails is logged and counted. */
export type Receive = (session: Session, topic: string, payload: Buffer) => void;

export function createUplink(options: {
  site: string;
  fleet: Fleet;
  ingestion: Ingestion;
  blobs: BlobCache;
  sessions: Sessions;
  limits: BrokerLimits;
  clock: Clock;
  logger: Logger;
  count(what: string): void;
}): Receive {
  const { site, fleet, ingestion, blobs, sessions, limits, clock, logger, count } = options;
  const names = topics(site);
  /** The newest session counter of each device, so that a late death of an older session is known as one. */
  const sids = new Map<string, number>();

  const complain = (session: Session, what: string, topic: Topic, error: unknown) => {
    count(what);
    if (!session.complaints.take()) return;
    logger.warn(`mqtt.${what}`, { agent: session.agent, kind: topic.kind, code: codeOf(error), why: messageOf(error) });
  };

  const answer = async (session: Session, text: string) => {
    const topic = names.response(session.agent);
    let id: string | undefined;
    let asked: Request | undefined;
    try {
      id = parseMessage(z.object({ id: z.string().regex(/^[0-9a-f]{16}$/) }), text, topic).id;
      asked = parseMessage(request, text, names.request(session.agent));
      if (!session.requests.take()) {
        throw new VedetteError("rate_limited", `over ${limits.requestsPerSecond} requests a second: ask again later`);
      }
      for (const part of responseParts(id, await fleet.answer(session.agent, asked))) {
        // One after the other, so that a device that reads slowly holds back its own answer only.
        await sessions.send(session.agent, topic, part);
      }
    } catch (error) {
      if (id !== undefined) await sessions.send(session.agent, topic, responseError(id, error));
      if (!endsRootChain(asked, error)) throw error;
      logger.debug("mqtt.no_newer_root", { agent: session.agent });
    }
  };

  const sendChunks = async (session: Session, text: string) => {
    const { chunks } = parseMessage(pull, text, names.pull(session.agent));
    const missing: string[] = [];
    for (const sha256 of chunks) {
      if (!session.requests.take()) throw new VedetteError("rate_limited", "too many chunks pulled");
      const blob = await blobs.get(sha256);
      if (blob) await sessions.send(session.agent, names.chunk(session.agent, sha256), blob);
      else missing.push(sha256);
    }
    if (missing.length > 0) throw new VedetteError("not_found", `no chunks that fit a message: ${missing.join(", ")}`);
  };

  const ownPresence = async (agent: string, text: string) => {
    const { on, sid } = parseMessage(presence, text, names.presence(agent));
    if (on === 1) sids.set(agent, sid);
    else if ((sids.get(agent) ?? sid) !== sid) return;
    await fleet.presence(agent, on === 1, sid);
  };

  const ownReport = async (agent: string, text: string) => {
    const report = parseMessage(reported, text, names.reported(agent));
    if (report.agent !== agent) throw new VedetteError("invalid_message", `${agent} reports as another device`);
    await fleet.reported(agent, report);
  };

  const takeBatch = async (session: Session, stream: string, payload: Buffer) => {
    const frame = new Uint8Array(payload);
    const ack = await ingestion.take(session.agent, stream, frame);
    await sessions.send(session.agent, names.ack(session.agent, stream), JSON.stringify(ack));
  };

  const noteLife = (session: Session) => {
    if (clock.now() - session.seenAt < seenEveryMs) return;
    session.seenAt = clock.now();
    fleet.seen(session.agent).catch((error: unknown) => {
      logger.error("mqtt.seen_failed", { agent: session.agent, error: messageOf(error) });
    });
  };

  const handle = async (session: Session, topic: Topic, payload: Buffer) => {
    const { agent } = session;
    noteLife(session);
    if (topic.kind === "log") return takeBatch(session, topic.stream, payload);
    const text = textOf(payload);
    if (topic.kind === "req") return answer(session, text);
    if (topic.kind === "pull") return sendChunks(session, text);
    if (topic.kind === "presence") return ownPresence(agent, text);
    if (topic.kind === "reported") return ownReport(agent, text);
    if (topic.kind === "hb") return fleet.heartbeat(agent, parseMessage(heartbeat, text, names.heartbeat(agent)));
    if (topic.kind === "out") return fleet.commandDone(agent, parseMessage(commandOutcome, text, names.outcome(agent)));
    return undefined;
  };

  return (session, text, payload) => {
    const topic = parseTopic(text);
    if (!topic) return;
    if (session.backlog + payload.length > limits.backlogBytes) {
      complain(session, "dropped", topic, new VedetteError("busy", "the device sends faster than it is answered"));
      return;
    }
    session.backlog += payload.length;
    const done = (topic.kind === "log" ? Promise.resolve() : session.tail)
      .then(() => handle(session, topic, payload))
      .catch((error: unknown) => complain(session, faultOf(error), topic, error))
      .finally(() => {
        session.backlog -= payload.length;
      });
    // Batches do not wait for one another: many share one commit. All else is dealt with in order.
    if (topic.kind !== "log") session.tail = done;
  };
}

/** A TUF client asks for the next root until there is none: the answer "none" is how every refresh goes. */
function endsRootChain(asked: Request | undefined, error: unknown): boolean {
  return asked?.kind === "metadata" && /^[0-9]+\.root\.json$/.test(asked.file) && codeOf(error) === "not_found";
}

/** The kind of fault that a failed message is counted as: refused is what a device may not do. */
function faultOf(error: unknown): string {
  if (!(error instanceof VedetteError) || !error.user) return "failed";
  if (error.code === "rate_limited" || error.code === "not_found") return error.code;
  return ["invalid_message", "invalid_batch", "too_large"].includes(error.code) ? "malformed" : "refused";
}

function textOf(payload: Buffer): string {
  try {
    return fromUtf8(payload);
  } catch (cause) {
    throw new VedetteError("invalid_message", "the payload is not UTF-8", { cause });
  }
}
