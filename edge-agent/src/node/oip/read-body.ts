/** Takes the bodies of requests, within a limit for each and one for all that are not whole yet. */
import type { IncomingMessage } from "node:http";
import { VedetteError } from "@vedette/protocol/errors";

const maxBodyBytes = 8 * 1024 * 1024;
/** What a body may hold that counts for nothing: clients that never end large ones must not shut out small ones. */
const freeBytes = 64 * 1024;
const defaultHeldBytes = 64 * 1024 * 1024;

/** @throws VedetteError unsupported, too_large, busy (too much is held for others), invalid_input (it never became whole). */
export type BodyReader = (incoming: IncomingMessage) => Promise<Uint8Array>;

/** @param maxHeldBytes of all unfinished bodies together, beyond the first 64 KiB of each. */
export function createBodyReader(maxHeldBytes: number = defaultHeldBytes): BodyReader {
  let held = 0;
  /** By events: an async iterator over the request costs more than all else that is done with a small body. */
  return (incoming) => {
    const encoding = incoming.headers["content-encoding"];
    if (encoding !== undefined && encoding !== "identity") {
      throw new VedetteError("unsupported", `content-encoding ${encoding} is not taken: send the body as it is`);
    }
    if (Number(incoming.headers["content-length"] ?? 0) > maxBodyBytes) throw tooLarge();
    let parts: Uint8Array[] = [];
    let length = 0;
    let own = 0;
    return new Promise((resolve, reject) => {
      let ended = false;
      const end = () => {
        ended = true;
        held -= own;
      };
      const refuse = (error: VedetteError) => {
        if (ended) return;
        end();
        parts = [];
        reject(error);
      };
      incoming.on("data", (part: Uint8Array) => {
        if (ended) return;
        length += part.length;
        const more = Math.max(0, length - freeBytes) - own;
        own += more;
        held += more;
        if (length > maxBodyBytes) refuse(tooLarge());
        else if (more > 0 && held > maxHeldBytes) {
          refuse(new VedetteError("busy", `over ${maxHeldBytes} bytes of unfinished requests are held: ask later`));
        } else parts.push(part);
      });
      incoming.on("end", () => {
        if (ended) return;
        end();
        resolve(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts));
      });
      incoming.on("error", (cause) => {
        refuse(new VedetteError("invalid_input", "the client went away before its request was whole", { cause }));
      });
    });
  };
}

function tooLarge(): VedetteError {
  return new VedetteError("too_large", `the body is over ${maxBodyBytes} bytes: send fewer rows at a time`);
}
