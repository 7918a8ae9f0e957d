/**
 * Looks again and again at what may be wrong. Each source says all that is wrong by its own lights, as it is at that moment;
 * that it is over needs no word. A source that fails says nothing: what fires on stays, and the log says why.
 */
import { messageOf } from "@vedette/protocol/errors";
import type { Logger } from "../../ports.ts";
import type { Alerts, Raise } from "./alerts.ts";
import type { AlertName } from "./catalogue.ts";

interface Findings {
  readonly wrong: readonly Raise[];
  /** Keys that the source cannot judge now, as after a start: what fires under them goes on. */
  readonly unsure?: ReadonlySet<string>;
  /** Why it is over, for people, by key: where that is not that it is well. */
  readonly over?: ReadonlyMap<string, string>;
}
export interface AlertSource {
  /** Raised by no other source. */
  readonly names: readonly AlertName[];
  /** @param firing keys of what fires under the source's names. */
  look(firing: ReadonlySet<string>): Promise<Findings>;
}

/** One round over all sources. */
export function createWatch(ports: { alerts: Alerts; sources: readonly AlertSource[]; logger: Logger }) {
  const { alerts, sources, logger } = ports;
  return async (): Promise<void> => {
    for (const { names, look } of sources) {
      try {
        const open = alerts.firing().filter(({ name }) => (names as readonly string[]).includes(name));
        const { wrong, unsure = new Set(), over } = await look(new Set(open.map(({ key }) => key)));
        await alerts.settle(names, wrong, unsure, over);
      } catch (error) {
        logger.error("alerts.source_failed", { names, why: messageOf(error) });
      }
    }
    await alerts.tick();
  };
}
