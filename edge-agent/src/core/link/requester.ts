/**
 * Asks the control plane over MQTT: …/req out, …/res back, an answer in parts joined here. `hello.ts` says hello and
 * fetches trust metadata through it, `fetch-bundle.ts` fetches manifests.
 */
import { maxManifestBytes } from "@vedette/protocol/bundle";
import { fromUtf8, toHex, utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { parseMessage, type Request, response } from "@vedette/protocol/messages";
import { maxMetadataBytes } from "@vedette/protocol/trust";
import type { Clock, Random } from "../ports.ts";

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;
type Question = WithoutId<Request>;

/** A signed assignment of 64 slots, and what is stored of 256 spools. */
const maxHelloBytes = 512 * 1024;
const silenceMs = 10_000;

export interface Requester {
  /**
   * The whole answer to a question.
   * @throws VedetteError timeout (10 s without a part), too_large (over the limit of its kind), offline, invalid_message,
   *   or whatever code the control plane answered with.
   */
  ask(question: Question): Promise<string>;
  /** Takes a payload of …/res. @throws VedetteError invalid_message where it is no answer. */
  answered(payload: Uint8Array): void;
  /** Fails all that waits: answers do not survive the connection. */
  disconnected(): void;
}

interface Waiting {
  readonly limit: number;
  readonly parts: Map<number, string>;
  of: number | undefined;
  bytes: number;
  /** Starts the silence anew. */
  heard(): void;
  done(answer: string | VedetteError): void;
}

/** @param options publish sends to …/req at QoS 1. */
export function createRequester(options: {
  clock: Clock;
  random: Random;
  publish: (payload: string) => Promise<void>;
}): Requester {
  const waiting = new Map<string, Waiting>();

  const wait = (id: string, question: Question): Promise<string> =>
    new Promise((resolve, reject) => {
      const late = () => {
        const why = `no answer to ${describe(question)} for ${silenceMs / 1000} s: the control plane is away or busy`;
        done(new VedetteError("timeout", why));
      };
      let cancel = options.clock.after(silenceMs, late);
      const done = (answer: string | VedetteError) => {
        cancel();
        waiting.delete(id);
        if (typeof answer === "string") resolve(answer);
        else reject(answer);
      };
      const heard = () => {
        cancel();
        cancel = options.clock.after(silenceMs, late);
      };
      waiting.set(id, { limit: limitOf(question), parts: new Map(), of: undefined, bytes: 0, heard, done });
    });

  return {
    ask(question) {
      const id = toHex(options.random.bytes(8));
      const answer = wait(id, question);
      options.publish(JSON.stringify({ id, ...question })).catch((cause: unknown) => {
        const why = `could not ask for ${describe(question)}: ${messageOf(cause)}`;
        waiting.get(id)?.done(new VedetteError(cause instanceof VedetteError ? cause.code : "offline", why, { cause }));
      });
      return answer;
    },
    answered(payload) {
      const part = parseMessage(response, fromUtf8(payload), "an answer on /res");
      const asked = waiting.get(part.id);
      if (!asked) return; // late, or to a question of an earlier process
      if ("error" in part) return asked.done(new VedetteError(part.error.code, part.error.message));
      if (part.i >= part.of || part.of !== (asked.of ?? part.of)) {
        return asked.done(
          new VedetteError("invalid_message", `part ${part.i} of ${part.of} of an answer of ${asked.of}`),
        );
      }
      if (asked.parts.has(part.i)) return;
      asked.of = part.of;
      asked.bytes += utf8(part.text).length;
      if (asked.bytes > asked.limit) {
        return asked.done(new VedetteError("too_large", `an answer of more than ${asked.limit} bytes: refused`));
      }
      asked.parts.set(part.i, part.text);
      if (asked.parts.size < part.of) return asked.heard();
      asked.done(Array.from({ length: part.of }, (_, i) => asked.parts.get(i) ?? "").join(""));
    },
    disconnected() {
      const lost = new VedetteError("offline", "the connection was lost before the answer came");
      for (const asked of [...waiting.values()]) asked.done(lost);
    },
  };
}

function limitOf(question: Question): number {
  if (question.kind === "hello") return maxHelloBytes;
  if (question.kind === "manifest") return maxManifestBytes;
  const role = question.file.replace(/^[0-9]+\./, "").replace(/\.json$/, "");
  // Delegated roles are targets too.
  return role === "root" || role === "timestamp" || role === "snapshot"
    ? maxMetadataBytes[role]
    : maxMetadataBytes.targets;
}

function describe(question: Question): string {
  if (question.kind === "metadata") return `metadata ${question.file}`;
  return question.kind === "manifest" ? `manifest ${question.digest}` : "hello";
}
