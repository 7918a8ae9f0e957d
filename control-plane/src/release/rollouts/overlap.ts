/** Whether two selectors can name the same device, and how one says which of two has it. Pure. */
import type { Selector } from "../../db/records.ts";
import type { Rollout } from "../../db/rollout-records.ts";
import { matches } from "../decide-slots.ts";

interface Labelled {
  readonly agent: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** @param devices of the fleet now: a device that is named overlaps with labels that it has. */
export function overlap(a: Selector, b: Selector, devices: readonly Labelled[]): boolean {
  if ("all" in a || "all" in b) return true;
  if ("devices" in a && "devices" in b) return a.devices.some((agent) => b.devices.includes(agent));
  // A device may get both labels yet; it never has two values of one.
  if ("labels" in a && "labels" in b) {
    // A label may be called as what every object has.
    const of = new Map(Object.entries(b.labels));
    return Object.entries(a.labels).every(([key, value]) => (of.get(key) ?? value) === value);
  }
  return devices.some((device) => matches(a, device) && matches(b, device));
}

type Named = Pick<Rollout, "id" | "model" | "version" | "state" | "experiment">;

/** As `rollout 7 (pump version 3, running)`. */
export function nameOf({ id, model, version, state, experiment }: Named): string {
  return `${experiment ? "experiment" : "rollout"} ${id} (${model} version ${version}, ${state})`;
}

/** The command that ends it. */
export function endOf({ id, experiment }: Pick<Named, "id" | "experiment">): string {
  return experiment ? `vedette experiment stop ${id}` : `vedette rollout abort ${id}`;
}
