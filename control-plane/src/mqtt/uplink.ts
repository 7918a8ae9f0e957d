/**
 * What devices say, parsed once and handed to the fleet or the ingestion. PUBACK went out before and proves nothing:
 * requests are answered, batches are acknowledged after their commit, and all of it may be repeated by the device.
 */

import { fromUtf8 } from "@vedette/protocol/bytes";
import { commandOutcome } from "@vedette/protocol/commands";
import { driftWindow } from "@vedette/protocol/drift";
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { heartbeat, parseMessage, presence, pull, type Request, reported, request } from "@vedette/protocol/messages";
import { shadowParcel } from "@vedette/protocol/shadow";
import { parseTopic, type Topic, topics } from "@vedette/protocol/topics";
import { z } from "zod";
import type { Clock, Fleet, Ingestion, Logger } from "../ports.ts";
import type { BlobCache } from "./blob-cache.ts";
import type { BrokerLimits } from "./limits.ts";
import type { Downlink, Peer } from "./peer.ts";
import { responseError, responseParts } from "./response-parts.ts";

/** ms between signs of life that the fleet is told of. */
const seenEveryMs = 10_000;

/**
 * Takes a device's message on a topic that it may publish to, and resolves when it is dealt with. Never throws; what fails
 * is logged and counted.
 */
export type Receive = (peer: Peer, topic: string, payload: Buffer) => Promise<void>;

export function createUplink(options: {
  site: string;
  fleet: Fleet;
  ingestion: Ingestion;
  blobs: BlobCache;
  downlink: Downlink;
  limits: BrokerLimits;
  clock: Clock;
  logger: Logger;
  count(what: string): void;
}): Receive {
  const { site, fleet, ingestion, blobs, downlink, limits, clock, logger, count } = options;
  const names = topics(site);
  /** The newest session counter of each device, so that a late death of an older session is known as one. */
  const sids = new Map<string, number>();

  const complain = (peer: Peer, what: string, topic: Topic, error: unknown) => {
    count(what);
    if (!peer.complaints.take()) return;
    logger.warn(`mqtt.${what}`, { agent: peer.agent, kind: topic.kind, code: codeOf(error), why: messageOf(error) });
  };

  const answer = async (peer: Peer, text: string) => {
    const topic = names.response(peer.agent);
    let id: string | undefined;
    let asked: Request | undefined;
    try {
      id = parseMessage(z.object({ id: z.string().regex(/^[0-9a-f]{16}$/) }), text, topic).id;
      asked = parseMessage(request, text, names.request(peer.agent));
      if (!peer.requests.take()) {
        throw new VedetteError("rate_limited", `over ${limits.requestsPerSecond} requests a second: ask again later`);
      }
      for (const part of responseParts(id, await fleet.answer(peer.agent, asked))) {
        // One after the other, so that a device that reads slowly holds back its own answer only.
        await downlink.send(peer.agent, topic, part);
      }
    } catch (error) {
      if (id !== undefined) await downlink.send(peer.agent, topic, responseError(id, error));
      if (!endsRootChain(asked, error)) throw error;
      logger.debug("mqtt.no_newer_root", { agent: peer.agent });
    }
  };

  const sendChunks = async (peer: Peer, text: string) => {
    const { chunks } = parseMessage(pull, text, names.pull(peer.agent));
    const missing: string[] = [];
    for (const sha256 of chunks) {
      if (!peer.requests.take()) throw new VedetteError("rate_limited", "too many chunks pulled");
      const blob = await blobs.get(sha256);
      if (blob) await downlink.send(peer.agent, names.chunk(peer.agent, sha256), blob);
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

  const takeBatch = async (peer: Peer, stream: string, payload: Buffer) => {
    const frame = new Uint8Array(payload);
    const ack = await ingestion.take(peer.agent, stream, frame);
    noteLife(peer);
    await downlink.send(peer.agent, names.ack(peer.agent, stream), JSON.stringify(ack));
  };

  const noteLife = (peer: Peer) => {
    if (clock.now() - peer.seenAt < seenEveryMs) return;
    peer.seenAt = clock.now();
    fleet.seen(peer.agent).catch((error: unknown) => {
      logger.error("mqtt.seen_failed", { agent: peer.agent, error: messageOf(error) });
    });
  };

  const handle = async (peer: Peer, name: string, topic: Topic, payload: Buffer) => {
    const { agent } = peer;
    if (topic.kind === "log") return takeBatch(peer, topic.stream, payload);
    const text = await fleet.open(agent, name, textOf(payload));
    noteLife(peer); // only now: what is forged is no sign of life
    if (topic.kind === "req") return answer(peer, text);
    if (topic.kind === "pull") return sendChunks(peer, text);
    if (topic.kind === "presence") return ownPresence(agent, text);
    if (topic.kind === "reported") return ownReport(agent, text);
    if (topic.kind === "hb") return fleet.heartbeat(agent, parseMessage(heartbeat, text, names.heartbeat(agent)));
    if (topic.kind === "drift") {
      const ack = await fleet.drift(agent, parseMessage(driftWindow, text, names.drift(agent)));
      return downlink.send(agent, names.driftAck(agent), JSON.stringify(ack));
    }
    if (topic.kind === "shadow") {
      const ack = await fleet.shadow(agent, parseMessage(shadowParcel, text, names.shadow(agent)));
      return downlink.send(agent, names.shadowAck(agent), JSON.stringify(ack));
    }
    if (topic.kind === "out") return fleet.commandDone(agent, parseMessage(commandOutcome, text, names.outcome(agent)));
    return undefined;
  };

  return (peer, text, payload) => {
    const topic = parseTopic(text);
    if (topic?.site !== site) return Promise.resolve();
    if (peer.backlog + payload.length > limits.backlogBytes) {
      complain(peer, "dropped", topic, new VedetteError("busy", "the device sends faster than it is answered"));
      return Promise.resolve();
    }
    peer.backlog += payload.length;
    const done = (topic.kind === "log" ? Promise.resolve() : peer.tail)
      .then(() => handle(peer, text, topic, payload))
      .catch((error: unknown) => complain(peer, faultOf(error), topic, error))
      .finally(() => {
        peer.backlog -= payload.length;
      });
    // Batches do not wait for one another: many share one commit. All else is dealt with in order.
    if (topic.kind !== "log") peer.tail = done;
    return done;
  };
}

/** A TUF client asks for the next root until there is none: the answer "none" is how every refresh goes. */
function endsRootChain(asked: Request | undefined, error: unknown): boolean {
  return asked?.kind === "metadata" && /^[0-9]+\.root\.json$/.test(asked.file) && codeOf(error) === "not_found";
}

/** The kind of fault that a failed message is counted as: refused is what a device may not do. */
function faultOf(error: unknown): string {
  if (["unsigned", "bad_signature", "wrong_device", "replayed"].includes(codeOf(error))) return "refused";
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
