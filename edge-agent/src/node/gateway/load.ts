/**
 * Sheds what would wait too long. By Little's law a request waits for as many as are under way divided by how many are
 * answered a second; where that is over the limit, a client is told at once to come again, which costs less than an
 * answer it no longer waits for.
 */
import { refuseForNow } from "../oip/errors.ts";

export interface Load {
  /** @throws HttpRefusal busy, with the seconds after which it is worth asking again. */
  enter(): void;
  leave(): void;
}
export interface LoadLimits {
  /** Requests under way. */
  readonly inFlight: number;
  /** Longest expected wait, ms. */
  readonly waitMs: number;
}

const windowMs = 100;
/** Fewer than this never wait for each other long enough to speak of. */
const freeOfCharge = 8;

/** Of one model: a slow one must not shut out the others. */
export function createLoad({ inFlight, waitMs }: LoadLimits, monotonic: () => number): Load {
  let underWay = 0;
  /** Of the window: since then there was always something under way, so all of its time went into answers. */
  let windowFrom = 0;
  let answered = 0;
  /** ms a request, as the last windows had it; 0 while there is nothing to go by. */
  let each = 0;

  const look = (now: number): void => {
    const past = now - windowFrom;
    // A slow model answers many at once, after windows with none: these say nothing yet, unless nothing comes for too long.
    if (past < (answered > 0 ? windowMs : waitMs)) return;
    const seen = past / Math.max(1, answered);
    each = each === 0 ? seen : (each + seen) / 2;
    answered = 0;
    windowFrom = now;
  };
  return {
    enter() {
      if (underWay >= inFlight) {
        throw refuseForNow("busy", `over ${inFlight} requests are under way: ask later`, (each * underWay) / 1000);
      }
      if (underWay === 0) {
        windowFrom = monotonic();
        answered = 0;
        each = 0;
      } else if (underWay >= freeOfCharge) {
        look(monotonic());
        const wait = each * underWay;
        if (wait > waitMs) {
          throw refuseForNow("busy", `an answer would take ${Math.round(wait)} ms: ask later`, wait / 1000);
        }
      }
      underWay++;
    },
    leave() {
      underWay--;
      answered++;
    },
  };
}
