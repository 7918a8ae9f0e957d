/**
 * What becomes of a version's events after a round: opened, raised again, closed. Pure: `run-rounds.ts` asks with what the
 * detectors say and writes the answer down.
 *
 *     (none) ── attributed ─▶ open ── attributed again ─▶ open (raised) ── quiet, or part of a greater one ─▶ closed
 */
import type { DriftScope } from "@vedette/protocol/drift";
import type { Attribution, Detector } from "./attribute.ts";
import { subjectOf } from "./subjects.ts";

export interface OpenEvent {
  readonly id: number;
  readonly scope: DriftScope;
  readonly subject: string;
  readonly agents: readonly string[];
  /** Rounds from the beginning of its detector to its last alarm. */
  readonly raisedAfter: number;
}
export interface Decision {
  readonly opened: readonly Attribution[];
  readonly raised: readonly { readonly event: OpenEvent; readonly by: Attribution }[];
  /** Ids. */
  readonly closed: readonly number[];
}

/** Rounds without an alarm after which an event is over at the earliest. */
const quietRounds = 8;

/**
 * @param of the detector of a subject as it stands after the round; it began anew when the event was raised.
 * @param bar ln of the threshold.
 */
export function decideEvents(
  open: readonly OpenEvent[],
  attributed: readonly Attribution[],
  of: (subject: string) => Detector | undefined,
  bar: number,
): Decision {
  const opened: Attribution[] = [];
  const raised: { event: OpenEvent; by: Attribution }[] = [];
  const closed: number[] = [];
  for (const one of attributed) {
    const same = open.find(({ subject }) => subject === subjectOf(one.scope));
    // Part of what is told already: devices of a cohort, or of the fleet.
    const known = same ?? open.find(({ agents }) => one.agents.every((agent) => agents.includes(agent)));
    if (known) raised.push({ event: known, by: one });
    else opened.push(one);
  }
  for (const event of open) {
    const greater = opened.some(
      ({ agents }) => agents.length > event.agents.length && event.agents.every((agent) => agents.includes(agent)),
    );
    if (greater) closed.push(event.id);
    else if (!raised.some((each) => each.event === event) && isQuiet(event, of(event.subject), bar)) {
      closed.push(event.id);
    }
  }
  return { opened, raised, closed };
}

/** As many rounds again as twice what the alarm took, and nothing like another one. */
function isQuiet({ raisedAfter }: OpenEvent, detector: Detector | undefined, bar: number): boolean {
  if (!detector) return false;
  return detector.steps >= Math.max(quietRounds, 2 * raisedAfter) && detector.logE < bar / 2;
}
