/** Takes the bodies of requests, within a limit for each and one for all that are not whole yet. */
import type { IncomingMessage } from "node:http";
import { VedetteError } from "@vedette/protocol/errors";
import { HttpRefusal } from "./errors.ts";

const defaultMaxBytes = 8 * 1024 * 1024;
/** What a body may hold that counts for nothing: clients that never end large ones must not shut out small ones. */
const freeBytes = 64 * 1024;
const defaultHeldBytes = 64 * 1024 * 1024;

export interface BodyLimits {
  /** Of one body. */
  readonly maxBytes?: number;
  /** Of all unfinished bodies together, beyond the first 64 KiB of each. */
  readonly maxHeldBytes?: number;
}
/**
 * Calls one of the three, once.
 * @throws VedetteError too_large, unsupported: before anything is read.
 */
export type BodyReader = (
  incoming: IncomingMessage,
  whole: (body: Uint8Array) => void,
  /** too_large, busy (too much is held for others). */
  refused: (error: VedetteError) => void,
  /** The client went away before its body was whole. */
  gone: () => void,
) => void;

export function createBodyReader({
  maxBytes = defaultMaxBytes,
  maxHeldBytes = defaultHeldBytes,
}: BodyLimits = {}): BodyReader {
  let held = 0;

  const tooLarge = (): VedetteError =>
    new VedetteError("too_large", `the body is over ${maxBytes} bytes: send fewer rows at a time`);

  /** By events and without promises: these cost more than all else that is done with a small body. */
  const readSmall: BodyReader = (incoming, whole, _, gone) => {
    let first: Uint8Array | undefined;
    let parts: Uint8Array[] | undefined;
    incoming.on("data", (part: Uint8Array) => {
      if (first === undefined) first = part;
      else if (parts === undefined) parts = [first, part];
      else parts.push(part);
    });
    incoming.on("end", () => whole(parts === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(parts)));
    incoming.on("close", () => {
      if (!incoming.readableEnded) gone();
    });
  };

  const readAny: BodyReader = (incoming, whole, refused, gone) => {
    let parts: Uint8Array[] = [];
    let length = 0;
    let own = 0;
    let ended = false;
    const end = (): void => {
      ended = true;
      held -= own;
    };
    const refuse = (error: VedetteError): void => {
      end();
      parts = [];
      refused(error);
    };
    incoming.on("data", (part: Uint8Array) => {
      if (ended) return;
      length += part.length;
      const more = Math.max(0, length - freeBytes) - own;
      own += more;
      held += more;
      if (length > maxBytes) refuse(tooLarge());
      else if (more > 0 && held > maxHeldBytes) {
        refuse(new VedetteError("busy", `over ${maxHeldBytes} bytes of unfinished requests are held: ask later`));
      } else parts.push(part);
    });
    incoming.on("end", () => {
      if (ended) return;
      end();
      whole(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts));
    });
    incoming.on("close", () => {
      if (ended) return;
      end();
      gone();
    });
  };

  return (incoming, whole, refused, gone) => {
    const { "content-encoding": encoding, "content-length": said } = incoming.headers;
    if (encoding !== undefined && encoding !== "identity") {
      throw new HttpRefusal(
        415,
        "unsupported",
        `content-encoding ${encoding.slice(0, 60)} is not taken: send the body as it is`,
        { "accept-encoding": "identity" },
      );
    }
    const length = said === undefined ? Number.POSITIVE_INFINITY : Number(said);
    if (length > maxBytes && said !== undefined) throw tooLarge();
    if (length <= freeBytes) readSmall(incoming, whole, refused, gone);
    else readAny(incoming, whole, refused, gone);
  };
}
