/**
 * The pins of one model, in memory and on disk: what happens moves them at once (`life-cycle.ts`), and they are saved one after
 * the other. `model-keeper.ts` says what happened, and awaits the saving where something depends on it.
 */
import type { Ports } from "../ports.ts";
import { type LifeEvent, type Pins, step } from "./life-cycle.ts";

export interface KeptPins {
  /** As they are now. */
  readonly pins: Pins;
  /** Moves them at once. Resolves when they, or later ones, are saved. @throws as `save`: the next event saves them then. */
  apply(event: LifeEvent): Promise<void>;
}

/** @param options.pins as saved. @param options.changed is called when they have moved, before they are saved. */
export function createKeptPins(options: {
  model: string;
  pins: Pins;
  save: (pins: Pins) => Promise<void>;
  ports: Pick<Ports, "clock" | "log">;
  changed: () => void;
}): KeptPins {
  const { model } = options;
  const { clock, log } = options.ports;
  let pins = options.pins;
  let saved = options.pins;
  let saving: Promise<void> = Promise.resolve();

  const save = async () => {
    const now = pins;
    if (saved === now) return;
    await options.save(now);
    saved = now;
  };

  return {
    get pins() {
      return pins;
    },
    apply(event) {
      const next = step(pins, event, clock.now());
      if (next !== pins) {
        pins = next;
        const reason = "reason" in event ? { reason: event.reason } : {};
        log.info(`model.${event.kind}`, { model, ...reason, ...brief(pins) });
        options.changed();
      }
      saving = saving.then(save, save);
      return saving;
    },
  };
}

function brief(pins: Pins): Record<string, unknown> {
  const { serving, previous, candidate, beside } = pins;
  return {
    ...(beside && { beside: `${beside.digest} ${beside.state}` }),
    serving: serving?.digest ?? null,
    previous: previous?.digest ?? null,
    candidate: candidate && `${candidate.digest} ${candidate.state}`,
  };
}
