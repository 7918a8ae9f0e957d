/** What a full or failing disk says through SQLite, DuckDB or the file system, as the one error that a person can act on. */
import { messageOf, VedetteError } from "@vedette/protocol/errors";

const full = /no space left on device|disk is full|disk quota exceeded/i;
const failing = /\bEIO\b|\bEROFS\b|disk I\/O error|read-only file system|attempt to write a readonly database/i;

/** The fault behind an error of the storage; the error itself where it is none. */
export function storageFault(error: unknown): unknown {
  for (let cause = error, depth = 0; cause !== undefined && depth < 5; depth++) {
    const why = messageOf(cause);
    const what = full.test(why) ? "is full: free some space" : failing.test(why) ? "fails: check it" : undefined;
    if (what !== undefined) {
      // The cause names paths of this machine, and some who ask are not its operators: the log has it.
      const message = `the disk that holds the control plane's home ${what}; what is stored stays, and devices keep what is not`;
      return new VedetteError("storage_failed", message, { cause: error });
    }
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return error;
}
