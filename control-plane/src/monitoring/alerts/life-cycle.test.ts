import { type Severity, severities } from "@vedette/protocol/alerts-api";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type AlertEvent, type AlertLife, calmMs, covered, step } from "./life-cycle.ts";

const severity = fc.constantFrom(...severities);
/** Events with the ms since the one before. */
const happening = fc.record({
  after: fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 2 * calmMs })),
  event: fc.oneof(
    fc.record({ kind: fc.constant("raise" as const), severity }),
    fc.record({ kind: fc.constantFrom("clear" as const, "tick" as const) }),
    fc.record({ kind: fc.constant("ack" as const), by: fc.constantFrom("ada", "ben"), reason: fc.constant(null) }),
  ),
});

/** What the life should be, told from the whole history and not step by step. */
function fromHistory(
  events: readonly AlertEvent[],
): Pick<AlertLife, "state" | "severity" | "startsAt" | "endsAt"> | undefined {
  let start = -1;
  let quiet: number | undefined;
  let last: Severity = "info";
  for (const [i, event] of events.entries()) {
    if (event.kind === "raise") {
      if (start === -1) start = i;
      quiet = undefined;
      last = event.severity;
    } else if (start !== -1 && event.kind === "clear") quiet ??= event.at;
    else if (quiet !== undefined && event.kind === "tick" && event.at - quiet >= calmMs)
      return { state: "resolved", severity: last, startsAt: events[start]?.at ?? -1, endsAt: quiet };
  }
  return start === -1
    ? undefined
    : { state: "firing", severity: last, startsAt: events[start]?.at ?? -1, endsAt: null };
}

test("[Z1] whatever happens in whatever order, an alert fires while something is wrong, and resolves once, after the calm", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
      let at = 1_000_000;
      let life: AlertLife | undefined;
      const events: AlertEvent[] = [];
      for (const { after, event } of happenings) {
        at += after;
        const whole = { ...event, at } as AlertEvent;
        const before = life;
        life = step(life, whole);
        events.push(whole);
        expect(
          life && { state: life.state, severity: life.severity, startsAt: life.startsAt, endsAt: life.endsAt },
        ).toEqual(fromHistory(events));
        // What is resolved stays so, and what is the same is the same object: nothing is written for nothing.
        if (before?.state === "resolved") expect(life).toBe(before);
        if (before && life && JSON.stringify(before) === JSON.stringify(life)) expect(life).toBe(before);
        if (life && before && (life.state !== before.state || life.severity !== before.severity))
          expect(life.changedAt).toBe(at);
      }
    }),
    { numRuns: 500 },
  );
});

test("[Z2] an acknowledgement holds until the alert resolves, or is worse than when it was given", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
      let at = 1_000_000;
      let life: AlertLife | undefined;
      /** The worst that somebody took it on at. */
      let taken = -1;
      for (const { after, event } of happenings) {
        at += after;
        const before = life;
        life = step(life, { ...event, at } as AlertEvent);
        if (event.kind === "ack" && before?.state === "firing")
          taken = Math.max(taken, severities.indexOf(before.severity));
        if (life?.state === "firing") expect(covered(life)).toBe(taken >= severities.indexOf(life.severity));
      }
    }),
    { numRuns: 500 },
  );
});
