/** Whether it is now a time at which a device may be given something new, in its own zone. */
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import type { Labels } from "../../db/records.ts";

type Window = NonNullable<RolloutPolicy["window"]>;
const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

const formatters = new Map<string, Intl.DateTimeFormat | null>();
/** Null where the zone is none. */
function formatterOf(zone: string): Intl.DateTimeFormat | null {
  let formatter = formatters.get(zone);
  if (formatter !== undefined) return formatter;
  try {
    const parts = { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
    formatter = new Intl.DateTimeFormat("en-US", { timeZone: zone, ...parts });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    formatter = null;
  }
  // A device may say any label: what it says must not fill the memory.
  if (formatters.size >= 1000) formatters.clear();
  formatters.set(zone, formatter);
  return formatter;
}

/** Whether it names a time zone (IANA). */
export function isZone(zone: string): boolean {
  return formatterOf(zone) !== null;
}

/**
 * A window that ends before it begins goes on after midnight, and is of the day on which it began; one that ends when it
 * begins is the whole day. A zone that the device's label `tz` does not name well is the window's own.
 * @param now UTC ms.
 */
export function inWindow(window: Window | null, labels: Labels, now: number): boolean {
  if (window === null) return true;
  const formatter = formatterOf(labels.tz ?? window.zone) ?? formatterOf(window.zone);
  if (!formatter) return false;
  const said = new Map(formatter.formatToParts(now).map(({ type, value }) => [type, value]));
  const today = days.indexOf((said.get("weekday") ?? "").slice(0, 3).toLowerCase() as (typeof days)[number]);
  const time = `${said.get("hour")}:${said.get("minute")}`;
  const on = (day: number) => window.days.includes(days[(day + 7) % 7] ?? "mon");
  const { from, until } = window;
  if (from === until) return on(today);
  if (from < until) return on(today) && time >= from && time < until;
  return (on(today) && time >= from) || (on(today - 1) && time < until);
}
